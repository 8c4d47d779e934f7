package main

import (
	"context"
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"

	"penstock"
	"penstock/internal/edge"
)

// reloader applies the configuration again while the server runs. Streams, tokens and the certificate follow at once; what belongs to
// the parts' construction waits for the next start, and what was chosen once is refused. Either all that can follow
// does, or nothing changes.
type reloader struct {
	server *server
	read   func() (*Config, error)

	mu      sync.Mutex
	present *Config
}

// apply reads the configuration and applies it. What it has to say goes to the log.
func (r *reloader) apply() {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.server.log
	next, err := r.read()
	if err == nil {
		err = r.server.follow(r.present, next)
	}
	if err != nil {
		for line := range strings.Lines(cause(err).Error()) {
			log.Error("the configuration is not applied, the one before stays", "error", strings.TrimRight(line, "\n"))
		}
		return
	}
	for _, setting := range differences(r.present, next) {
		log.Warn("a changed setting takes effect at the next start", "setting", setting)
	}
	for _, warning := range next.warnings() {
		log.Warn(warning)
	}
	r.present = next
	log.Info("configuration applied", "streams", len(next.Streams), "tokens", len(next.Tokens))
	if c := r.server.certificate; c != nil && next.TLS != (TLSConfig{}) {
		log.Info("certificate in force", "file", next.TLS.Cert, "ends", c.Ends().UTC())
	}
}

// follow changes what can change while the server runs. On an error nothing has changed.
func (s *server) follow(present, next *Config) error {
	const op = "apply configuration"
	switch want := next.cluster(); {
	case want.Partitions != s.cluster.Partitions:
		return penstock.Errorf(penstock.Conflict, op, "partitions: chosen once, and they are %d", s.cluster.Partitions)
	case want.ID != "" && want.ID != s.cluster.ID, want.PartitionKey != "" && want.PartitionKey != hex.EncodeToString(s.cluster.Key[:]):
		return penstock.Errorf(penstock.Conflict, op, "cluster: chosen once, and it is %s", s.cluster.ID)
	case len(next.Tokens) == 0 && !onLoopback(s.listener.Addr().String()):
		return penstock.Errorf(penstock.Invalid, op, "tokens: others can reach %s, so there must be some", s.listener.Addr())
	}
	certificate, err := next.certificate()
	if err != nil {
		return err
	}
	if err := s.streams.set(next.streams()); err != nil {
		return err
	}
	if err := s.declareViews(next); err != nil {
		return err
	}
	if s.certificate != nil && certificate != nil {
		s.certificate.Replace(certificate)
	}
	s.traffic.relabel()
	s.guard.SetTokens(next.tokens())
	for name, stream := range next.Streams {
		if before, ok := present.Streams[name]; ok && before.IDField != stream.IDField {
			s.log.Warn("id_field has changed: the window of repeated ids starts anew, an event that is sent before and after may count twice", "stream", name)
		}
	}
	return nil
}

// differences names the settings that only a new start applies and that differ.
func differences(a, b *Config) []string {
	var names []string
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for _, field := range fieldsOf(x.Type()) {
		name := field.Tag.Get("yaml")
		switch name {
		case "streams", "views", "tokens", "cluster", "partitions":
			continue
		case "tls":
			if a.TLS != (TLSConfig{}) && b.TLS != (TLSConfig{}) {
				continue // the files are read again; only a listener cannot change between plain and secure
			}
		}
		if !reflect.DeepEqual(x.FieldByIndex(field.Index).Interface(), y.FieldByIndex(field.Index).Interface()) {
			names = append(names, name)
		}
	}
	return names
}

func onLoopback(addr string) bool {
	host := addr[:max(0, strings.LastIndexByte(addr, ':'))]
	return isLoopback(strings.Trim(host, "[]"))
}

// certificate reads what the API proves itself with; nil if it speaks plain HTTP.
func (c *Config) certificate() (*edge.Certificate, error) {
	if c.TLS == (TLSConfig{}) {
		return nil, nil
	}
	return edge.LoadCertificate(c.TLS.Cert, c.TLS.Key)
}

// tokens returns the credentials as the guard knows them.
func (c *Config) tokens() *edge.Tokens {
	scopes := map[string]edge.Scope{"write": edge.Write, "read": edge.Read, "admin": edge.Admin}
	var all []edge.Token
	for _, t := range c.Tokens {
		token := edge.Token{Name: t.Name, Secret: t.Secret}
		for _, allow := range t.Allow {
			token.Allow |= scopes[allow]
		}
		all = append(all, token)
	}
	return edge.NewTokens(all)
}

// fileWatch notices that a file was saved, by asking again and again: it needs no help of the system, and works for editors
// that write in place as for those that rename.
type fileWatch struct {
	path    string
	applied fileState // as it was read last
	seen    fileState // at the look before
}

type fileState struct {
	time time.Time
	size int64
}

// newFileWatch takes the file as it is now for known.
func newFileWatch(path string) *fileWatch {
	w := &fileWatch{path: path}
	w.applied, _ = w.look()
	w.seen = w.applied
	return w
}

func (w *fileWatch) look() (fileState, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return fileState{}, err
	}
	return fileState{info.ModTime(), info.Size()}, nil
}

// saved reports whether the file has changed since it was last known, and not since the look before: a file that is being
// written is left alone. A file that has gone is no change.
func (w *fileWatch) saved() bool {
	now, err := w.look()
	if err != nil {
		return false
	}
	settled := now == w.seen
	w.seen = now
	if !settled || now == w.applied {
		return false
	}
	w.applied = now
	return true
}

// run calls changed after each save, until ctx ends.
func (w *fileWatch) run(ctx context.Context, every time.Duration, changed func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if w.saved() {
				changed()
			}
		}
	}
}
