package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"penstock/internal/edge/edgetest"
)

func operationsRows() []row {
	return []row{
		{"row_103_log_lines", false, rowLogLines},
		{"row_104_secrets", false, rowSecrets},
		{"row_106_profiles", false, rowProfiles},
		{"row_107_configuration", false, rowConfiguration},
	}
}

// rowLogLines looks at the logs of all rows, after it sent what would look like lines of its own.
func rowLogLines(r *raid) {
	odd := "\\n{\\\"level\\\":\\\"ERROR\\\"}\\u001b[31m" + strings.Repeat("ä", 10_000)
	inPath := "%0a%7b%22level%22%3a%22ERROR%22%7d%1b%5b31m%ff"
	r.note("in an event", r.post(toNothing, typeJSON, `{"time":"`+odd+`"}`))
	r.note("in a path", r.Send(get("/"+inPath, "")))
	r.note("in a query", r.Send(get("/v1/streams/nothing/events?key=k&from="+inPath, "")))
	r.note("in the name of a parameter", r.Send(get("/v1/streams/nothing/events?"+inPath+"=1", "")))
	r.note("in a header", r.Send(get("/healthz", "X: \x1b[31m\xff\r\n")))
	r.note("in a content type", r.post(toNothing, "Content-Type: \xff\xfe\"\r\n", "{}"))
	r.note("in a key", r.guarded.Send(request(toNothing, "X-Write-Key: \xff\xfe{\"level\"}\r\n", "{}")))
	r.note("in a statement", r.post("POST /v1/sql", typeJSON, `{"query":"select `+odd+`"}`))
	for _, target := range []*besieged{r.siege.open, r.siege.guarded} {
		for line := range strings.Lines(target.log.String()) {
			r.checkLogLine(strings.TrimSuffix(line, "\n"))
		}
	}
}

func (r *raid) checkLogLine(line string) {
	r.t.Helper()
	entry := map[string]any{}
	if err := json.Unmarshal([]byte(line), &entry); err != nil || !utf8.ValidString(line) || strings.ContainsAny(line, "\x1b\x00") || entry["msg"] == nil {
		r.t.Errorf("a line that is none (%v): %q", err, line)
	}
	for name, value := range entry {
		if s, ok := value.(string); ok && len(s) > maxLogged+2*len("\uFFFD") {
			r.t.Errorf("%s has %d bytes", name, len(s))
		}
	}
}

// rowSecrets puts words into all places of requests that nobody else shall read. They come to rows, where they belong, and not
// to answers of refusal, logs and metrics.
func rowSecrets(r *raid) {
	const secret, mail = "hunter2-7f3a", "alice@example.com"
	headers := "Cookie: session=" + secret + "\r\nReferer: https://example.com/?t=" + secret + "\r\nUser-Agent: " + secret + "\r\nIdempotency-Key: " + secret + "\r\nX-Write-Key: " + secret + "\r\n"
	var answers []edgetest.Answer
	refuse := func(what string, a edgetest.Answer) {
		r.note(what, a)
		answers = append(answers, a)
	}
	for _, event := range []string{
		`{"time":"` + mail + `","p":"` + secret + `"}`, `{"id":"` + mail + `\n"}`, `{"key":["` + secret + `"]}`, `{"a":"` + secret, `{"a":` + secret + `}`, `{"a":"` + secret + `\ud800"}`, `"` + secret + `"`,
	} {
		refuse(event, r.post(toNothing, typeJSON+headers, event))
	}
	for _, event := range []string{`{"n":"` + secret + `"}`, `{"t":"` + mail + `"}`, `{"m":"` + secret + `"}`, `{"b":"` + mail + `"}`} {
		refuse(event, r.post("POST /v1/streams/typed/events", typeJSON+headers, event))
	}
	for _, path := range []string{"/" + secret, "/v1/receipts/" + secret, "/v1/streams/" + mail, "/v1/streams/nothing/events?key=k&from=" + secret, "/v1/streams/nothing/events?key=k&token=" + secret,
		"/v1/streams/nothing/events?key=k&cursor=" + secret, "/v1/streams/nothing/tail?from=" + mail} {
		refuse(path, r.Send(get(path, headers)))
	}
	refuse("a wrong key", r.guarded.Send(request(toNothing+"?token="+secret, headers, `{"p":"`+secret+`"}`)))
	refuse("a wrong query", r.post(toNothing+"?wait="+secret, typeJSON+headers, "{}"))
	r.await(r.post(toClicks, typeJSON, `{"id":"kept-secret","key":"`+secret+`","mail":"`+mail+`"}`))
	for _, statement := range []string{"select (data->>'mail')::int from clicks where id = 'kept-secret'", "select strptime(key, '%Y') from clicks where id = 'kept-secret'",
		"select ('{' || key)::json->'x' from clicks where id = 'kept-secret'", "select regexp_matches('x', '(' || key) from clicks where id = 'kept-secret'"} {
		refuse(statement, r.post("POST /v1/sql", "Content-Type: text/plain\r\n"+headers, statement))
	}
	refuse("a parameter", r.post("POST /v1/sql", typeJSON+headers, `{"query":"select $1::int","params":["`+mail+`"]}`))
	for _, a := range answers {
		r.hides("an answer", a.Body+fmt.Sprint(a.Header), secret, mail)
	}
	r.hides("the metrics", r.Send(get("/metrics", "")).Body+r.guarded.Send(get("/metrics", keyRead)).Body, secret, mail)
	r.hides("the logs", r.siege.open.log.String()+r.siege.guarded.log.String(), secret, mail, "0123456789abcdef")
	if got := r.p.sql("select key, data->>'mail' from clicks where id = 'kept-secret'", ""); got != `[["`+secret+`","`+mail+`"]]` {
		r.t.Errorf("the row is %s", got)
	}
}

func (r *raid) hides(what, text string, words ...string) {
	r.t.Helper()
	for _, word := range words {
		if at := strings.Index(text, word); at >= 0 {
			r.t.Errorf("%s shows %s: …%s…", what, word, text[max(0, at-100):min(len(text), at+100)])
		}
	}
}

func rowProfiles(r *raid) {
	for _, path := range []string{"/debug/pprof", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/vars"} {
		r.note(path, r.Send(get(path, "")))
		r.note(path+" with tokens", r.guarded.Send(get(path, keyRead)))
	}
	profiles := edgetest.To(r.t, strings.TrimPrefix(r.siege.guarded.profiles, "http://"))
	r.note("the listener for profiles", profiles.Send(get("/debug/pprof/cmdline", "")))
	r.note("the listener for profiles, by another name", profiles.Send("GET /debug/pprof/ HTTP/1.1\r\nHost: evil.example\r\n\r\n"))
	for _, address := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:6060"} {
		status, _, _ := command(r.t, configured(r.t, abuseTokens+abuseStreams), "serve", "--debug-listen", address)
		r.say("profiles for %s: exit status %d", address, status)
	}
}

func rowConfiguration(r *raid) {
	for _, c := range []struct {
		what, config string
		mode         fs.FileMode
	}{
		{"secrets that all can read", abuseTokens, 0o644},
		{"secrets that the group can read", abuseTokens, 0o640},
		{"an unknown option", "lisen: 127.0.0.1:0\n", 0o600},
		{"an unknown option within", "streams: {clicks: {key_feild: x}}\n", 0o600},
		{"an unknown right", "tokens: [{name: a, secret: 0123456789abcdef, allow: [wirte]}]\n", 0o600},
		{"an address for others, without tokens", "listen: 0.0.0.0:0\n", 0o600},
		{"a short secret", "tokens: [{name: a, secret: abc, allow: [write]}]\n", 0o600},
		{"no YAML", "\x00\xff{", 0o600},
	} {
		dir := r.t.TempDir()
		if !strings.Contains(c.config, "listen") {
			c.config = "listen: 127.0.0.1:0\n" + c.config
		}
		file := filepath.Join(dir, "penstock.yaml")
		if err := os.WriteFile(file, []byte(c.config), c.mode); err != nil {
			r.t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil { // the umask took some of it
			r.t.Fatal(err)
		}
		if c.mode == 0o640 {
			p := start(r.t, dir, "serve", "-c", "penstock.yaml")
			r.say("%s: it runs", c.what)
			p.stop()
			continue
		}
		status, _, stderr := command(r.t, dir, "serve", "-c", "penstock.yaml")
		r.say("%s: exit status %d, %s", c.what, status, strings.ReplaceAll(strings.TrimSpace(stderr), "\n", " | "))
		r.hides("the message", stderr, "0123456789abcdef", "secret: abc")
	}
}
