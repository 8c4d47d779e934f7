package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// save writes a file with a time of its own, so that it does not depend on the clock of the file system.
func save(t *testing.T, path, text string, at int64) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Unix(at, 0), time.Unix(at, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestFileWatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "penstock.yaml")
	w := newFileWatch(path)
	expect := func(what string, looks ...bool) {
		t.Helper()
		for i, want := range looks {
			if got := w.saved(); got != want {
				t.Errorf("%s: look %d says %v", what, i, got)
			}
		}
	}
	expect("no file", false, false)
	save(t, path, "a", 100)
	expect("a new file", false, true, false)
	save(t, path, "", 101)
	expect("while it is written", false)
	save(t, path, "bc", 101)
	expect("while it is written", false)
	expect("when it is written", true, false)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	expect("a file that has gone", false, false)
	save(t, path, "bc", 101)
	expect("the same file again", false, false)
	save(t, path, "d", 102)
	expect("another file under the name", false, true, false)

	w = newFileWatch(path)
	expect("a file that was there", false, false)
}

func TestDifferencesNameWhatNeedsAStart(t *testing.T) {
	before, err := loadText(t, "streams: {clicks: }\ntokens: [{name: a, secret: 0123456789abcdef, allow: [read]}]\n", settings{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := loadText(t, "listen: 127.0.0.1:1\nlog: {url: \"disk:\", keep: 1h}\nlimits: {batch: 7}\n", settings{})
	if err != nil {
		t.Fatal(err)
	}
	if got := differences(before, after); !slices.Equal(got, []string{"listen", "log", "limits"}) {
		t.Errorf("%v", got)
	}
	before.TLS = TLSConfig{"a", "b"}
	if got := differences(before, after); !slices.Equal(got, []string{"listen", "tls", "log", "limits"}) {
		t.Errorf("from TLS to none: %v", got)
	}
	after.TLS = TLSConfig{"c", "d"}
	if got := differences(before, after); !slices.Equal(got, []string{"listen", "log", "limits"}) {
		t.Errorf("other files: %v", got)
	}
	if got := differences(before, before); len(got) > 0 {
		t.Errorf("%v differ from themselves", got)
	}
}

func TestTokensHaveTheirScopes(t *testing.T) {
	c := &Config{}
	if !c.tokens().Open() {
		t.Error("no tokens, and yet not open")
	}
	c.Tokens = []TokenConfig{{Name: "a", Secret: "0123456789abcdef", Allow: []string{"write", "read"}}}
	if c.tokens().Open() {
		t.Error("open in spite of a token")
	}
}

func TestOnLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "[::1]:1": true, "localhost:1": true, "127.8.8.8:1": true,
		"0.0.0.0:1": false, "[::]:1": false, ":1": false, "192.0.2.1:1": false, "example.com:1": false, "": false,
	} {
		if got := onLoopback(addr); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}
