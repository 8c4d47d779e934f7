package main

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"penstock"
)

// The bounds that a configuration must keep.
const (
	maxTyped       = 100 // streams with columns: each has a table of its own
	minSecretLen   = 16
	worldReadable  = 0o004
	maxPrecision   = 38
	clusterHexSize = 32
	minDedup       = Duration(time.Second)
	maxDedup       = Duration(400 * 24 * time.Hour)
	maxDedupIDs    = Count(10e9)
)

var (
	columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	decimalOf  = regexp.MustCompile(`^decimal\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)$`)
	hex32      = regexp.MustCompile(`^[0-9a-fA-F]{32}$`)
	shardDir   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
)

// otherNames are what the data directory has beside its shards.
var otherNames = [...]string{logDir, memoryDir, lockFile, clusterName, "tmp"}

// builtIn are the columns that every stream has.
var builtIn = [...]string{"id", "key", "time", "received_at", "data", "_partition", "_epoch", "_offset", "_replay_of"}

// checker collects what is wrong with a configuration that was read.
type checker struct {
	c     *Config
	known mistakes // that reading found
	wrong mistakes
}

func (k *checker) note(path, format string, args ...any) {
	k.wrong = append(k.wrong, mistake{k.c.source(path), path, fmt.Sprintf(format, args...)})
}

// Validate returns every mistake in the values, besides those that reading found already: a path among known is not
// judged again.
func (c *Config) Validate(known mistakes) mistakes {
	k := &checker{c: c, known: known}
	k.access()
	k.cluster()
	k.backends()
	k.limits()
	for _, name := range slices.Sorted(maps.Keys(c.Streams)) {
		k.stream(name, c.Streams[name])
	}
	k.typedStreams()
	k.views()
	return slices.DeleteFunc(k.wrong, func(m mistake) bool {
		return k.isKnown(m.path)
	})
}

// isKnown reports whether reading found a mistake of the setting at path.
func (k *checker) isKnown(path string) bool {
	return slices.ContainsFunc(k.known, func(m mistake) bool { return m.path == path })
}

// access checks who may reach the API and with what.
func (k *checker) access() {
	host, port, err := net.SplitHostPort(k.c.Listen)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		k.note("listen", "%q is not an address such as 127.0.0.1:7367", k.c.Listen)
	} else if !isLoopback(host) && len(k.c.Tokens) == 0 {
		k.note("listen", "%s can be reached by others, and there are no tokens", k.c.Listen)
	}
	if t := k.c.TLS; t != (TLSConfig{}) {
		if t.Cert == "" || t.Key == "" {
			k.note("tls", "cert and key belong together")
		} else if _, err := k.c.certificate(); err != nil {
			k.note("tls", "%v", cause(err))
		}
	}
	names, secrets := map[string]bool{}, map[string]bool{}
	for i, t := range k.c.Tokens {
		at := fmt.Sprintf("tokens[%d]", i)
		k.token(at, t)
		if names[t.Name] || secrets[t.Secret] {
			k.note(at, "another token has the same name or secret")
		}
		names[t.Name], secrets[t.Secret] = true, true
	}
	k.exposure()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (k *checker) token(at string, t TokenConfig) {
	if t.Name == "" {
		k.note(at, "a name is missing")
	}
	if len(t.Secret) < minSecretLen {
		k.note(at+".secret", "%d characters are too few, want %d or more", len(t.Secret), minSecretLen)
	}
	if strings.ContainsFunc(t.Secret, func(c rune) bool { return c <= ' ' || c > '~' }) {
		k.note(at+".secret", "only printable ASCII without spaces can be sent")
	}
	if len(t.Allow) == 0 {
		k.note(at, "allow is missing: write, read, admin")
	}
	scopes := []string{"write", "read", "admin"}
	for i, a := range t.Allow {
		if !slices.Contains(scopes, a) {
			k.note(fmt.Sprintf("%s.allow[%d]", at, i), "%q is not write, read or admin%s", a, didYouMean(a, scopes))
		}
	}
}

// exposure refuses secrets in files that every user of the machine can read.
func (k *checker) exposure() {
	secrets := map[string]string{"cluster.partition_key": k.c.Cluster.PartitionKey}
	for i, t := range k.c.Tokens {
		secrets[fmt.Sprintf("tokens[%d].secret", i)] = t.Secret
	}
	for _, at := range slices.Sorted(maps.Keys(secrets)) {
		secret := secrets[at]
		if secret != "" && k.c.literal[at] && k.c.mode&worldReadable != 0 {
			k.note(at, "the file holds a secret and every user can read it (mode %#o): chmod 600 %s", k.c.mode.Perm(), k.c.file)
		}
		for _, f := range k.c.inserted {
			if f.text != "" && strings.Contains(secret, f.text) && f.mode&worldReadable != 0 {
				k.note(at, "every user can read %s (mode %#o): chmod 600 it", f.path, f.mode.Perm())
			}
		}
	}
}

func (k *checker) cluster() {
	for at, text := range map[string]string{"cluster.id": k.c.Cluster.ID, "cluster.partition_key": k.c.Cluster.PartitionKey} {
		if text != "" && !hex32.MatchString(text) {
			k.note(at, "want %d hexadecimal digits", clusterHexSize)
		}
	}
	if n := k.c.Partitions; n < 1 || n > penstock.MaxPartitions {
		k.note("partitions", "%d is not within 1 to %d", n, penstock.MaxPartitions)
	}
	if k.c.Data == "" {
		k.note("data", "want a directory")
	}
}

// backends checks the URLs of log and shards.
func (k *checker) backends() {
	k.scheme("log.url", k.c.Log.URL, []string{"disk", "memory"})
	if k.c.Log.Keep <= 0 {
		k.note("log.keep", "want more than 0")
	}
	if k.c.Log.Max <= 0 {
		k.note("log.max", "want more than 0")
	}
	if len(k.c.Store) == 0 {
		k.note("store", "want at least one URL")
	}
	seen := map[string]bool{}
	for i, url := range k.c.Store {
		at := fmt.Sprintf("store[%d]", i)
		k.scheme(at, url, []string{"duckdb"})
		if dir, ok := strings.CutPrefix(url, "duckdb:"); ok && !shardDir.MatchString(dir) {
			k.note(at, "%q is not the name of a directory in the data directory", dir)
		} else if slices.Contains(otherNames[:], dir) {
			k.note(at, "the data directory has something else under the name %s", dir)
		}
		if seen[url] {
			k.note(at, "%s is there twice", url)
		}
		seen[url] = true
	}
}

// scheme checks that a URL begins with one of schemes.
func (k *checker) scheme(at, url string, schemes []string) {
	name, _, _ := strings.Cut(url, ":")
	switch {
	case !strings.Contains(url, ":"):
		k.note(at, "%q is not a URL such as %s:", url, schemes[0])
	case slices.Contains(schemes, name):
	case name == "kafka" || name == "postgres" || name == "postgresql":
		k.note(at, "%s: not built yet", name)
	default:
		k.note(at, "%q is not known, want %s%s", name+":", strings.Join(schemes, " or "), didYouMean(name, schemes))
	}
}

func (k *checker) limits() {
	l := k.c.Limits
	for at, n := range map[string]int64{"body": int64(l.Body), "event": int64(l.Event), "batch": int64(l.Batch), "in_flight": int64(l.InFlight)} {
		if n <= 0 {
			k.note("limits."+at, "want more than 0")
		}
	}
	if l.Event > l.Body {
		k.note("limits.event", "%s is more than limits.body, %s", l.Event, l.Body)
	}
	if l.Body > l.InFlight {
		k.note("limits.in_flight", "%s is less than limits.body, %s", l.InFlight, l.Body)
	}
}

func (k *checker) stream(name string, s StreamConfig) {
	at := "streams." + name
	if err := penstock.CheckStreamName(name); err != nil {
		k.note(at, "%v", cause(err))
	}
	for key, path := range map[string]string{"id_field": s.IDField, "key_field": s.KeyField, "time_field": s.TimeField} {
		if path != "" && !isPath(path) {
			k.note(at+"."+key, `%q is not a path such as user.id (a dot inside a name is \.)`, path)
		}
	}
	for column, spec := range s.Columns {
		if _, err := columnOf(column, spec); err != nil {
			k.note(at+".columns."+column, "%v", err)
		}
	}
	if s.KeepRows < 0 {
		k.note(at+".keep_rows", "want 0 or more")
	}
	if d := penstock.Durability(s.Durability); d != penstock.DurabilityDisk && d != penstock.DurabilityMemory {
		k.note(at+".durability", "%q is not disk or memory", s.Durability)
	}
	if s.OnPoison != skipPoison && s.OnPoison != haltKey {
		k.note(at+".on_poison", "%q is not skip or halt_key", s.OnPoison)
	}
	k.dedup(at+".dedup", s.Dedup)
}

func (k *checker) dedup(at string, d DedupConfig) {
	if d.off {
		return
	}
	if d.Window < minDedup || d.Window > maxDedup || d.Window%minDedup != 0 {
		k.note(at+".window", "%s: want whole seconds, from %s to %s, or dedup: off", d.Window, minDedup, maxDedup)
	}
	if d.MaxIDs < 1 || d.MaxIDs > maxDedupIDs {
		k.note(at+".max_ids", "%s is not within 1 to %s", d.MaxIDs, maxDedupIDs)
	}
}

// typedStreams bounds the streams that need a table of their own.
func (k *checker) typedStreams() {
	typed := 0
	for _, s := range k.c.Streams {
		if len(s.Columns) > 0 {
			typed++
		}
	}
	if typed > maxTyped {
		k.note("streams", "%d streams have columns, at most %d may", typed, maxTyped)
	}
	if n := len(k.c.Streams); n > penstock.MaxStreams {
		k.note("streams", "%d streams, at most %d may be", n, penstock.MaxStreams)
	}
}
