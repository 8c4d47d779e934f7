package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"penstock"
)

// loadText loads a configuration from a text, as the file p.yaml that only its owner can read.
func loadText(t *testing.T, text string, s settings) (*Config, error) {
	t.Helper()
	s.file = filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(s.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadConfig(s)
}

func envOf(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

const wholeFile = `
listen: 0.0.0.0:7367
tokens:
  - {name: web, secret: "${WEB}", allow: [write]}
  - {name: ops, secret: "${file:SECRET}", allow: [admin]}
cluster: {id: 000102030405060708090A0B0C0D0E0F, partition_key: "${KEY:11111111111111111111111111111111}"}
data: ./d
log: {url: "disk:", keep: 90d, max: 1.5GiB}
partitions: 8
store: duckdb:shard-0
streams:
  clicks:
    id_field: click_id
    key_field: user.name\.full
    columns: {link: text, price: "decimal(12, 2)", country: {type: text, path: geo.country}}
    dedup: off
    keep_rows: 1d12h
    durability: memory
    on_poison: halt_key
  order:
  visits: {dedup: {window: 90s}}
limits: {body: 4MiB, event: 1024, batch: 10, in_flight: 8MB}
`

func TestLoadConfig(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("the-secret-of-the-operator\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := loadText(t, strings.ReplaceAll(wholeFile, "SECRET", secret), settings{
		env:   envOf(map[string]string{"WEB": "0123456789abcdef", "PENSTOCK_LOG_KEEP": "2d", "PENSTOCK_DATA": "/env", "PENSTOCK_STORE": "duckdb:a duckdb:b"}),
		flags: map[string]string{"data": "/flag"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Tokens[0].Secret != "0123456789abcdef" || c.Tokens[1].Secret != "the-secret-of-the-operator" {
		t.Errorf("tokens %+v", c.Tokens)
	}
	if c.Data != "/flag" || time.Duration(c.Log.Keep) != 48*time.Hour || c.Log.Max != 3<<29 {
		t.Errorf("data %s, log %+v", c.Data, c.Log)
	}
	if !slices.Equal(c.Store, []string{"duckdb:a", "duckdb:b"}) {
		t.Errorf("store %v", c.Store)
	}
	if (c.Limits != LimitsConfig{Body: 4 << 20, Event: 1024, Batch: 10, InFlight: 8e6}) {
		t.Errorf("limits %+v", c.Limits)
	}
	for path, want := range map[string]string{
		"data": "--data", "log.keep": "PENSTOCK_LOG_KEEP", "log.max": "p.yaml:8", "store": "PENSTOCK_STORE",
		"streams.clicks.columns.country.path": "p.yaml:15", "streams.order": "p.yaml:20", "limits.batch": "p.yaml:22", "tls": "default",
	} {
		if got := c.source(path).String(); got != want {
			t.Errorf("%s comes from %s, want %s", path, got, want)
		}
	}
	checkStreams(t, c)
}

func checkStreams(t *testing.T, c *Config) {
	t.Helper()
	want := penstock.Stream{
		Name: "clicks", IDField: "click_id", KeyField: `user.name\.full`, KeepRows: 36 * time.Hour, Durability: penstock.DurabilityMemory, HaltKey: true,
		Columns: []penstock.Column{
			{Name: "country", Type: penstock.Text, Path: "geo.country"},
			{Name: "link", Type: penstock.Text, Path: "link"},
			{Name: "price", Type: penstock.Decimal, Precision: 12, Scale: 2, Path: "price"},
		},
	}
	got := c.streams()
	if len(got) != 3 || got[1].Name != "order" || got[1].Durability != "" || got[1].HaltKey {
		t.Fatalf("streams %+v", got)
	}
	for i, dedup := range []penstock.Dedup{{}, {Window: 24 * time.Hour, MaxIDs: 100e6}, {Window: 90 * time.Second, MaxIDs: 100e6}} {
		if got[i].Dedup != dedup {
			t.Errorf("%s: %+v, want %+v", got[i].Name, got[i].Dedup, dedup)
		}
	}
	if !slices.Equal(got[0].Columns, want.Columns) {
		t.Errorf("columns %+v", got[0].Columns)
	}
	got[0].Columns, want.Columns = nil, nil
	if got[0].Name != want.Name || got[0].KeyField != want.KeyField || got[0].KeepRows != want.KeepRows || got[0].Durability != want.Durability || got[0].HaltKey != want.HaltKey {
		t.Errorf("stream %+v", got[0])
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c, err := loadConfig(settings{file: filepath.Join(t.TempDir(), "none.yaml"), optional: true})
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:7367" || c.Partitions != 64 || len(c.warnings()) != 0 {
		t.Errorf("%+v", c)
	}
	if _, err := loadConfig(settings{file: filepath.Join(t.TempDir(), "none.yaml")}); !penstock.Is(err, penstock.NotFound) {
		t.Errorf("a file that must be there: %v", err)
	}
}

// TestMistakes gives each mistake a file and the lines that it must be answered with.
func TestMistakes(t *testing.T) {
	for _, name := range []string{"testdata/mistakes.txt", "testdata/view_mistakes.txt"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		checkMistakes(t, string(text))
	}
}

func checkMistakes(t *testing.T, text string) {
	t.Helper()
	for scenario := range strings.SplitSeq(text, "\n====\n") {
		file, want, ok := strings.Cut(scenario, "\n----\n")
		if !ok {
			t.Fatalf("no ---- in %q", scenario)
		}
		_, err := loadText(t, file, settings{env: envOf(map[string]string{"SET": "x"})})
		if !penstock.Is(err, penstock.Invalid) {
			t.Errorf("%s\n%v", file, err)
			continue
		}
		if got := cause(err).Error(); got != strings.TrimSpace(want) {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", file, got, want)
		}
	}
}

func TestMistakesOfEnvironmentAndFlags(t *testing.T) {
	_, err := loadText(t, "data: d", settings{
		env:   envOf(map[string]string{"PENSTOCK_PARTITIONS": "many", "PENSTOCK_SERVICE_PORT": "7"}),
		flags: map[string]string{"listen": "here"},
	})
	want := "--listen: listen: \"here\" is not an address such as 127.0.0.1:7367\nPENSTOCK_PARTITIONS: partitions: \"many\" is not a whole number"
	if err == nil || cause(err).Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestSecretsInReadableFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "p.yaml")
	load := func(text string, fileMode, secretMode os.FileMode) error {
		for path, content := range map[string]string{secret: "0123456789abcdef", file: text} {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(secret, secretMode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, fileMode); err != nil {
			t.Fatal(err)
		}
		_, err := loadConfig(settings{file: file})
		return err
	}
	literal := "tokens: [{name: a, secret: 0123456789abcdef, allow: [read]}]"
	inserted := "tokens: [{name: a, secret: \"${file:" + secret + "}\", allow: [read]}]"
	if err := load(literal, 0o600, 0o600); err != nil {
		t.Errorf("private file: %v", err)
	}
	if err := load(inserted, 0o644, 0o640); err != nil {
		t.Errorf("readable file without a secret: %v", err)
	}
	if err := load(literal, 0o644, 0o600); err == nil || !strings.Contains(err.Error(), "p.yaml:1: tokens[0].secret: the file holds a secret and every user can read it (mode 0644): chmod 600 "+file) {
		t.Errorf("readable file with a secret: %v", err)
	}
	if err := load(inserted, 0o644, 0o644); err == nil || !strings.Contains(err.Error(), "every user can read "+secret) {
		t.Errorf("readable secret: %v", err)
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]time.Duration{"72h": 72 * time.Hour, "90d": 2160 * time.Hour, "1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0s": 0} {
		var d Duration
		if err := d.scan(text); err != nil || time.Duration(d) != want {
			t.Errorf("%s: %v, %v", text, time.Duration(d), err)
		}
		var back Duration
		if err := back.scan(d.String()); err != nil || back != d {
			t.Errorf("%s spelled %s: %v", text, d, err)
		}
	}
	for _, text := range []string{"", "d", "5", "-3h", "-1d", "1d-2h", "99999999d", "x"} {
		var d Duration
		if err := d.scan(text); err == nil {
			t.Errorf("%q is read as %v", text, d)
		}
	}
	for text, want := range map[string]Size{"20GiB": 20 << 30, "8 MiB": 8 << 20, "1.5KiB": 1536, "10MB": 1e7, "7": 7, "7B": 7} {
		var s Size
		if err := s.scan(text); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "GiB", "-1", "0.3", "9999999999GiB", "8 mib", "1e999"} {
		var s Size
		if err := s.scan(text); err == nil {
			t.Errorf("%q is read as %v", text, s)
		}
	}
	var c Count
	if err := c.scan("100M"); err != nil || c != 1e8 || c.String() != "100M" {
		t.Errorf("100M: %v, %v", c, err)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(wholeFile))
	f.Add([]byte(viewsFile))
	f.Add([]byte("a: &x [*x, {b: !!str c}]\n? [k]\n: v\nstreams: {<<: *x, clicks: {columns: [1]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := defaultConfig()
		noFiles := func(string) (string, bool) { return "", false }
		if strings.Contains(string(text), "${file") {
			return
		}
		wrong := c.readText("p.yaml", text, noFiles)
		wrong = append(wrong, c.Validate(wrong)...)
		if wrong.err() == nil {
			checkFolded(t, c)
		}
	})
}
