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

// viewServer answers as a server with views does: a list, three pages of two rows, and a leaderboard.
func viewServer(t *testing.T, before func(*http.Request)) string {
	t.Helper()
	routes := http.NewServeMux()
	routes.HandleFunc("GET /v1/views", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"views":[{"name":"best","stream":"scores","state":"ready","version":2,"rows":7,"rebuilds":true},`+
			`{"name":"clicks_per_link","stream":"clicks","state":"building","version":1,"rows":12,"done":500,"total":2000,"eta_s":3.2,"problem":"slow","rebuilds":false}]}`)
	})
	routes.HandleFunc("GET /v1/views/clicks_per_link", func(w http.ResponseWriter, r *http.Request) {
		before(r)
		n := map[string]int{"": 0, "c1": 1, "c2": 2}[r.URL.Query().Get("cursor")]
		cursor := fmt.Sprintf(`"c%d"`, n+1)
		if n == 2 {
			cursor = "null"
		}
		fmt.Fprintf(w, `{"view":"clicks_per_link","as_of":"r%[1]d","columns":[{"name":"link","type":"VARCHAR"},{"name":"clicks","type":"HUGEINT"},{"name":"hot","type":"JSON"}],"rows":[`+
			`{"link":"=a%[1]d","clicks":9007199254740993%[1]d,"hot":[{"value":"x","count":1}]},{"link":null,"clicks":%[1]d,"hot":null}],"cursor":%[2]s}`, n, cursor)
	})
	routes.HandleFunc("GET /v1/views/best/rank", func(w http.ResponseWriter, r *http.Request) {
		before(r)
		if r.URL.Query().Get("member") != "ada" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(404)
			io.WriteString(w, `{"code":"unknown_member","detail":"there is no member","outcome":"not_stored","status":404}`)
			return
		}
		io.WriteString(w, `{"view":"best","as_of":"r","member":"ada","rank":2,"score":12.30,"rows":[{"rank":1,"member":"zoë","score":99999999999999999999},{"rank":2,"member":"ada","score":12.30}]}`)
	})
	routes.HandleFunc("GET /v1/views/slow", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(503)
		io.WriteString(w, `{"code":"view_building","detail":"come again","outcome":"not_stored","status":503}`)
	})
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	return server.URL
}

func TestViewCommands(t *testing.T) {
	url := viewServer(t, func(*http.Request) {})
	const rows = `{"link":"=a0","clicks":90071992547409930,"hot":[{"value":"x","count":1}]}`
	for _, c := range []struct {
		line   string
		status int
		want   string // the whole of what is written, or of it what stands before …
	}{
		{"view ls", exitDone, "view             stream  state              version  rows  progress              problem\n" +
			"best             scores  ready, rebuilding  2        7                           \n" +
			"clicks_per_link  clicks  building           1        12    25% of 2,000, ETA 3s  slow\n"},
		{"view ls -o json", exitDone, `{"views":[{"name":"best","stream":"scores","state":"ready","version":2,"rows":7,"rebuilds":true},{"name":"clicks_per_link","stream":"clicks",` +
			`"state":"building","version":1,"rows":12,"done":500,"total":2000,"eta_s":3.2,"problem":"slow","rebuilds":false}]}` + "\n"},
		{"view ls -o ndjson", exitDone, `{"name":"best",…`},
		{"view ls -o csv", exitDone, "view,stream,state,version,rows,progress,problem\nbest,scores,\"ready, rebuilding\",2,7,,\n…"},
		{"view show clicks_per_link --limit 3", exitDone, "link  clicks             hot\n=a0   90071992547409930  [{\"value\":\"x\",\"count\":1}]\nNULL  0                  NULL\n" +
			"=a1   90071992547409931  [{\"value\":\"x\",\"count\":1}]\npenstock: there are more rows: --limit shows more of them, --limit 0 all\n"},
		{"view show clicks_per_link --limit 3 --quiet -o ndjson", exitDone, rows + "\n" + `{"link":null,"clicks":0,"hot":null}` + "\n" + strings.ReplaceAll(strings.ReplaceAll(rows, "a0", "a1"), "930", "931") + "\n"},
		{"view show clicks_per_link --limit 2 -o csv", exitDone, "link,clicks,hot\n'=a0,90071992547409930,\"[{\"\"value\"\":\"\"x\"\",\"\"count\"\":1}]\"\n,0,\npenstock: there are more rows…"},
		{"view show clicks_per_link --limit 6 -o json", exitDone, `{"view":"clicks_per_link","as_of":"r0","columns":[{"name":"link","type":"VARCHAR"},…`},
		{"view show slow", exitFailed, "penstock: come again (view_building)\n"},
		{"view show clicks_per_link --where link", exitUsage, "penstock: --where link: want COLUMN=VALUE\n…"},
		{"view show clicks_per_link --where =x", exitUsage, "penstock: --where =x: want COLUMN=VALUE\n…"},
		{"view show clicks_per_link --where a=1 --where a=2", exitUsage, "penstock: --where a=2: a is there twice\n…"},
		{"view show clicks_per_link --limit -1", exitUsage, "penstock: --limit -1: want 0 or more\n…"},
		{"view show", exitUsage, "penstock: …"},
		{"view rank best ada", exitDone, "rank  member  score\n1     zoë     99999999999999999999\n2     ada     12.30\n"},
		{"view rank best ada -o json", exitDone, `{"view":"best","as_of":"r","member":"ada","rank":2,"score":12.30,"rows":[{"rank":1,"member":"zoë","score":99999999999999999999},` +
			`{"rank":2,"member":"ada","score":12.30}]}` + "\n"},
		{"view rank best ada -o ndjson", exitDone, `{"rank":1,"member":"zoë","score":99999999999999999999}` + "\n" + `{"rank":2,"member":"ada","score":12.30}` + "\n"},
		{"view rank best eve", exitNotFound, "penstock: there is no member (unknown_member)\n"},
		{"view rank best ada --around -1", exitUsage, "penstock: --around -1: want 0 or more\n…"},
	} {
		var out bytes.Buffer
		status := run(t.Context(), strings.Fields(c.line), strings.NewReader(""), &out, &out, envOf(map[string]string{"PENSTOCK_URL": url}))
		want, part := strings.CutSuffix(c.want, "…")
		if status != c.status || out.String() != want && !(part && strings.HasPrefix(out.String(), want)) {
			t.Errorf("%s: status %d\n%s\nwant %d\n%s", c.line, status, out.String(), c.status, want)
		}
	}
}

// TestViewRowsComePageByPage holds that each page is written before the next is asked for, what is asked for, and that all of it is written once.
func TestViewRowsComePageByPage(t *testing.T) {
	for _, format := range []string{"", "table", "csv", "json", "ndjson"} {
		t.Run("format "+format, func(t *testing.T) {
			var out bytes.Buffer
			asked := 0
			url := viewServer(t, func(r *http.Request) {
				for n := range asked {
					if want := fmt.Sprintf("=a%d", n); !strings.Contains(out.String(), want) {
						t.Errorf("page %d is asked for before %q was written: %s", asked, want, out.String())
					}
				}
				q := r.URL.Query()
				want := map[string]string{"where.link": "a=b", "where.country": "", "from": "1", "to": "2", "every": "1h", "order": "-clicks", "limit": "1000", "timeout": "2s"}
				for name, value := range want {
					if !q.Has(name) || q.Get(name) != value {
						t.Errorf("%s is %q, want %q", name, q[name], value)
					}
				}
				if got := len(q["after"]); got != min(asked, 1)+1 || q["after"][0] != "mine" || len(q) != len(want)+1+min(asked, 1) {
					t.Errorf("asked for %v", q)
				}
				asked++
			})
			args := strings.Fields("view show clicks_per_link --where link=a=b --where country= --from 1 --to 2 --every 1h --order -clicks --limit 0 --after mine --timeout 2s")
			if format != "" {
				args = append(args, "-o", format)
			}
			status := run(t.Context(), args, strings.NewReader(""), &out, io.Discard, envOf(map[string]string{"PENSTOCK_URL": url}))
			if status != exitDone || asked != 3 || strings.Count(out.String(), "=a") != 3 {
				t.Errorf("status %d after %d pages: %s", status, asked, out.String())
			}
			var whole struct {
				Rows      []json.RawMessage
				Truncated *bool
			}
			if format == "json" && (json.Unmarshal(out.Bytes(), &whole) != nil || len(whole.Rows) != 6 || whole.Truncated == nil || *whole.Truncated) {
				t.Errorf("%s", out.String())
			}
		})
	}
}
