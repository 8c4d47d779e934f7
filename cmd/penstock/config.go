package main

import (
	"io/fs"
	"reflect"
	"time"

	"penstock"
)

// Config is penstock.yaml. It exists only in this package: what the parts need is handed to them as their Options.
// Defaults are the Go values of defaultConfig, and the comments of the fields are also the descriptions that
// `config schema` prints. A field tagged later is known to the reader of files and refused until it is built.
type Config struct {
	// Listen is the address of the HTTP API. Another address than a loopback one needs tokens.
	Listen string `yaml:"listen"`
	// TLS names the certificate and its key, which are read again with the file; without it the API speaks plain HTTP.
	TLS TLSConfig `yaml:"tls"`
	// Tokens are the credentials of clients. While there are none, everything is open, on loopback only.
	Tokens []TokenConfig `yaml:"tokens"`
	// Cluster is the identity of the installation. Embedded, the data directory's own holds and another is refused.
	Cluster ClusterConfig `yaml:"cluster"`
	// Data is the directory in which everything embedded lives.
	Data string `yaml:"data"`
	// Log is where accepted events become durable. The URL alone may stand here.
	Log LogConfig `yaml:"log"`
	// Partitions is the number of units of order and of parallel work. It is chosen once.
	Partitions int `yaml:"partitions"`
	// Store has one URL per shard; a bare URL is a list of one.
	Store []string `yaml:"store"`
	// Strict has one URL per shard of the strict lane.
	Strict any `yaml:"strict" later:"the strict lane"`
	// Streams maps the name of a stream to how its events are read and kept.
	Streams map[string]StreamConfig `yaml:"streams"`
	// Views maps the name of a read model to its definition.
	Views map[string]ViewConfig `yaml:"views"`
	// Limits bounds what one client may ask of the door.
	Limits LimitsConfig `yaml:"limits"`
	// Apps lists the applications that run on top.
	Apps any `yaml:"apps" later:"applications"`

	sources  map[string]source // of each setting that is not a default, by its path
	inserted []insertedFile    // files that ${file:…} named
	literal  map[string]bool   // paths whose value stands in the file itself
	file     string            // the path that was read, "" if none was
	mode     fs.FileMode       // of that file
}

// TLSConfig names PEM files. The lowest version served is TLS 1.2.
type TLSConfig struct {
	// Cert is the file with the certificate chain.
	Cert string `yaml:"cert"`
	// Key is the file with the private key, readable by the owner alone.
	Key string `yaml:"key"`
}

// TokenConfig is a credential: its secret, and what it allows.
type TokenConfig struct {
	// Name appears in logs in place of the secret.
	Name string `yaml:"name"`
	// Secret is what the client sends, at least 16 printable characters; usually "${file:/path}" or "${VARIABLE}".
	Secret string `yaml:"secret" secret:"true"`
	// Allow lists the scopes: write, read, admin.
	Allow []string `yaml:"allow"`
}

// ClusterConfig is the identity that log, shards and receipts share.
type ClusterConfig struct {
	// ID has 32 hexadecimal digits.
	ID string `yaml:"id"`
	// PartitionKey has 32 hexadecimal digits; it is a secret, so that no sender can aim at a partition.
	PartitionKey string `yaml:"partition_key" secret:"true"`
}

// LogConfig says where the log is and how much of it is kept.
type LogConfig struct {
	// URL is disk: for a log in the data directory, or memory: for one that survives nothing.
	URL string `yaml:"url"`
	// Keep is how long records stay, by the log's own time, once every store has them.
	Keep Duration `yaml:"keep"`
	// Max is the size at which the door answers 503 log_full if the oldest records are not stored yet.
	Max Size `yaml:"max"`
}

// StreamConfig says how the events of a stream are read and kept.
type StreamConfig struct {
	// IDField is the path of the id within the event, id if empty; a dot inside a name is written \.
	IDField string `yaml:"id_field"`
	// KeyField is the path of the key, key if empty. Events of one key keep their order. It is chosen once.
	KeyField string `yaml:"key_field"`
	// TimeField is the path of the time, time if empty.
	TimeField string `yaml:"time_field"`
	// Columns maps the name of a typed column to its type: text, bigint, double, decimal(p,s), boolean, timestamp, json.
	Columns map[string]ColumnConfig `yaml:"columns"`
	// Dedup is the window in which a repeated id has one effect, or off.
	Dedup DedupConfig `yaml:"dedup"`
	// KeepRows is how long rows stay in the store, by the log's own time; 0 is for ever.
	KeepRows Duration `yaml:"keep_rows"`
	// Durability is disk, or memory: answered 200 with "durable":false, never 202.
	Durability string `yaml:"durability"`
	// OnPoison is what becomes of the key of an event that cannot be stored: skip goes on with its later events, halt_key parks them.
	OnPoison string `yaml:"on_poison"`
}

// ColumnConfig is a typed column. The type alone may stand in its place.
type ColumnConfig struct {
	// Type is text, bigint, double, decimal(p,s), boolean, timestamp or json.
	Type string `yaml:"type"`
	// Path is where the value stands within the event, the column's name if empty.
	Path string `yaml:"path"`
}

// DedupConfig is the window of a stream's ids, or off.
type DedupConfig struct {
	// Window is how long an id is remembered after it came first, by the log's own time: whole seconds, from 1s to 400d.
	Window Duration `yaml:"window"`
	// MaxIDs is how many ids of the stream are remembered at most, from 1 to 10G; each partition has an equal share.
	MaxIDs Count `yaml:"max_ids"`

	off bool // written as that one word; the others are then 0
}

// ViewConfig defines a read model: what the measures say of each group of a stream's rows.
type ViewConfig struct {
	// Stream is the name of a stream that the file has, too.
	Stream string `yaml:"stream" jsonschema:"required"`
	// Where is a condition in the spelling of SQL; only rows of which it is true count. All do if it is empty.
	Where string `yaml:"where"`
	// Group lists by what rows are grouped: columns of the stream, id, key, received_at, or paths into the event. All rows are one group if there is none.
	Group []string `yaml:"group"`
	// Window is the length of windows of event time: at least 1s, a part of a day or whole days. Without it there are none.
	Window Duration `yaml:"window"`
	// Measures maps the name of a figure to how it is made: count, sum(x), min(x), max(x), avg(x), unique(x), quantile(x, 0.95), top(x, 100), latest(x), first(x).
	Measures MeasuresConfig `yaml:"measures"`
	// Leaderboard ranks members by a score, in place of group, window and measures.
	Leaderboard LeaderboardConfig `yaml:"leaderboard"`
	// Keep is how long a window stays, by its time, or without windows a group after its last change; 0 is for ever.
	Keep Duration `yaml:"keep"`
	// Repair is how often to recount and report what differs, at least 1m; 0 is only when asked.
	Repair Duration `yaml:"repair"`
	// From is start: a new view first counts what is stored; or now: it counts only what comes.
	From string `yaml:"from"`
}

// MeasuresConfig has the measures of a view in the order of the file.
type MeasuresConfig []MeasureConfig

// MeasureConfig is a measure: the name of its column, and how it is made.
type MeasureConfig struct{ Name, Text string }

// LeaderboardConfig says who is ranked, and by what.
type LeaderboardConfig struct {
	// Member is the column or path that says who is ranked.
	Member string `yaml:"member" jsonschema:"required"`
	// Score is max(x), sum(x) or latest(x), of numbers; last(x) is latest(x).
	Score string `yaml:"score" jsonschema:"required"`
}

// LimitsConfig bounds requests. A request beyond a limit is refused by name.
type LimitsConfig struct {
	// Body is the largest body of a request, on the wire and decoded alike.
	Body Size `yaml:"body"`
	// Event is the largest event.
	Event Size `yaml:"event"`
	// Batch is the largest number of events in a request.
	Batch int `yaml:"batch"`
	// InFlight is how many bytes of requests may wait for the log together.
	InFlight Size `yaml:"in_flight"`
}

// defaultConfig returns what holds where nothing is said.
func defaultConfig() *Config {
	return &Config{
		sources: map[string]source{}, literal: map[string]bool{},
		Listen:     "127.0.0.1:7367",
		Data:       "./penstock-data",
		Log:        LogConfig{URL: "disk:", Keep: Duration(72 * time.Hour), Max: 20 << 30},
		Partitions: 64,
		Store:      []string{"duckdb:shard-0"},
		Limits:     LimitsConfig{Body: 8 << 20, Event: 256 << 10, Batch: 5000, InFlight: 64 << 20},
	}
}

// The values of on_poison.
const (
	skipPoison = "skip"
	haltKey    = "halt_key"
)

// defaultStream returns what holds for a stream where its entry says nothing.
func defaultStream() StreamConfig {
	return StreamConfig{
		Durability: string(penstock.DurabilityDisk), OnPoison: skipPoison,
		Dedup: DedupConfig{Window: Duration(24 * time.Hour), MaxIDs: 100e6},
	}
}

// The values of from.
const (
	fromStart = "start"
	fromNow   = "now"
)

// defaultView returns what holds for a view where its entry says nothing.
func defaultView() ViewConfig { return ViewConfig{From: fromStart} }

// usualItem returns what holds for an entry of a mapping or a list where it says nothing.
func usualItem(t reflect.Type) reflect.Value {
	switch t {
	case reflect.TypeFor[StreamConfig]():
		return reflect.ValueOf(defaultStream())
	case reflect.TypeFor[ViewConfig]():
		return reflect.ValueOf(defaultView())
	}
	return reflect.Zero(t)
}

// short reads the form in which the URL stands alone.
func (l *LogConfig) short(text string) error {
	l.URL = text
	return nil
}

// short reads the form in which the type stands alone.
func (c *ColumnConfig) short(text string) error {
	c.Type = text
	return nil
}

// scan refuses a text in place of the mapping.
func (m *MeasuresConfig) scan(string) error { return errShape("a mapping such as {rows: count}") }

// short reads the word off.
func (d *DedupConfig) short(text string) error {
	if text != "off" {
		return errShape("off, or a mapping with window and max_ids")
	}
	*d = DedupConfig{off: true}
	return nil
}

// shorthand returns the word off if that is what holds.
func (d DedupConfig) shorthand() (string, bool) { return "off", d.off }
