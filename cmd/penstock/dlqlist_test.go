package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLettersAreListedPageByPage lists three pages: each must have been written when the next is asked for.
func TestLettersAreListedPageByPage(t *testing.T) {
	for format, row := range map[string]string{
		"":       "1-1-%[1]d  clicks  id-%[1]d ",
		"table":  "│ 1-1-%[1]d │ clicks │ id-%[1]d │",
		"csv":    "\n1-1-%[1]d,clicks,id-%[1]d,",
		"json":   `"place":"1-1-%[1]d"`,
		"ndjson": `"place":"1-1-%[1]d"`,
	} {
		t.Run("format "+format, func(t *testing.T) {
			var out bytes.Buffer
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for n := range asked {
					if want := fmt.Sprintf(row, n); !strings.Contains(out.String(), want) {
						t.Errorf("page %d is asked for before %q was written: %s", asked, want, out.String())
					}
				}
				next := fmt.Sprintf(`,"next":"cursor-%d"`, asked+1)
				if asked == 2 {
					next = ""
				}
				if want := []string{"", "cursor-1", "cursor-2"}[asked]; r.URL.Query().Get("cursor") != want {
					t.Errorf("asked for %s, want cursor %q", r.URL, want)
				}
				fmt.Fprintf(w, `{"letters":[{"place":"1-1-%[1]d","stream":"clicks","id":"id-%[1]d","reason":"bad_json","state":"open"}]%[2]s}`, asked, next)
				asked++
			}))
			defer server.Close()
			args := []string{"dlq", "ls"}
			if format != "" {
				args = append(args, "-o", format)
			}
			status := run(t.Context(), args, strings.NewReader(""), &out, io.Discard, envOf(map[string]string{"PENSTOCK_URL": server.URL}))
			if status != exitDone || asked != 3 || !strings.Contains(out.String(), "1-1-2") {
				t.Errorf("status %d after %d pages: %s", status, asked, out.String())
			}
			if headers := strings.Count(out.String(), "place "); format == "" && headers != 1 {
				t.Errorf("the columns are named %d times", headers)
			}
			if format == "json" && !json.Valid(out.Bytes()) {
				t.Errorf("no JSON: %s", out.String())
			}
		})
	}
}

func TestPartsOfATableAreAligned(t *testing.T) {
	var out bytes.Buffer
	p := &program{stdout: &out}
	parts := &table{columns: []string{"name", "n"}}
	for _, name := range []string{"läng", "", "longer than before", "x"} {
		if name != "" {
			parts.add(name, 1)
		}
		if err := p.printPart(parts); err != nil {
			t.Fatal(err)
		}
	}
	if want := "name  n\nläng  1\nlonger than before  1\nx     1\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}
