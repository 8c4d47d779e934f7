package edge

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"penstock"
)

var errMethod = penstock.Refusef("method_not_allowed", "check request", "the header Allow names the methods of this route")

// noRoute answers what no route answers: 405 when another method would find one, else 404.
func (g *Guard) noRoute(w http.ResponseWriter, r *http.Request) {
	if g.allowed(r) != "" {
		g.refuse(w, r, errMethod)
		return
	}
	g.refuse(w, r, penstock.Errorf(penstock.NotFound, "find route", "there is nothing at this path"))
}

// allowed returns the methods that have a route at the request's path.
func (g *Guard) allowed(r *http.Request) string {
	var found []string
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := g.mux.Handler(probe); pattern != "/" && pattern != "" {
			found = append(found, method)
		}
	}
	return strings.Join(found, ", ")
}

func tooManyHeaders(h http.Header, limit int) bool {
	n := 0
	for _, values := range h {
		n += len(values)
	}
	return n > limit
}

// cleanPath reports whether a decoded path is what it seems: text without empty or dotted segments. The router would
// answer those with redirects.
func cleanPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	ascii := true
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c < ' ' || c == 0x7f || c == '\\':
			return false
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.' && dotted(path[i+1:])):
			return false
		}
	}
	return ascii || utf8.ValidString(path)
}

// dotted reports whether the segment that rest begins with is "." or "..".
func dotted(rest string) bool {
	segment, _, _ := strings.Cut(rest, "/")
	return segment == "." || segment == ".."
}

// knownHost reports whether a Host header names this machine as its owner does. It keeps a web page whose name was made to
// resolve to a loopback address from talking to a server that asks for no token.
func (g *Guard) knownHost(header string) bool {
	host := hostName(header)
	if host == "localhost" || host == "127.0.0.1" {
		return true
	}
	for _, known := range g.hosts {
		if strings.EqualFold(host, known) {
			return true
		}
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// hostName returns a host without port and brackets.
func hostName(hostport string) string {
	host := hostport
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && strings.IndexByte(hostport[i:], ']') < 0 {
		if host = hostport[:i]; strings.IndexByte(host, ':') >= 0 && host[0] != '[' {
			host = hostport // a bare IPv6 address
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// authorize checks the request's token against the scope that its route asks for.
func (g *Guard) authorize(w http.ResponseWriter, r *http.Request, scope Scope) error {
	if scope != Write { // posting events is judged by its content type, which other sites cannot send
		if err := g.cross.Check(r); err != nil {
			return penstock.Errorf(penstock.Forbidden, "check origin", "another site's page may not send this request")
		}
	}
	tokens := g.tokens.Load()
	if tokens.Open() {
		return nil
	}
	secret, err := secretOf(r.Header)
	if err != nil {
		return err
	}
	_, allow, ok := tokens.find(secret)
	if ok && allow.allows(scope) {
		return nil
	}
	if ok {
		return penstock.Errorf(penstock.Forbidden, "check token", "this token has not the scope that the route asks for")
	}
	return g.unauthorized(w, r, secret)
}

// unauthorized says the same to everyone, whatever was wrong.
func (g *Guard) unauthorized(w http.ResponseWriter, r *http.Request, secret string) error {
	if secret != "" && !g.wrong.take(addressOf(r), g.o.Now()) {
		return &penstock.Error{Code: penstock.Overloaded, Op: "check token", Reason: "too_many_attempts", Err: errAttempts}
	}
	if r.URL.RawQuery != "" && hasSecret(r.URL.RawQuery) {
		w.Header().Set("Warning", `299 - "a token in the query string is not read, and may have been logged on its way: replace it"`)
	}
	w.Header().Set("WWW-Authenticate", "Bearer")
	return &penstock.Error{Code: penstock.Forbidden, Op: "check token", Err: errToken, Reason: "unauthorized"}
}

var (
	errToken    = errors.New("a valid token is needed: Authorization: Bearer SECRET")
	errAttempts = errors.New("too many wrong tokens came from this address")
)

// secretOf returns the secret that a request carries, "" if none.
func secretOf(h http.Header) (string, error) {
	bearer, key := "", ""
	if v := h["Authorization"]; len(v) > 0 {
		if len(v[0]) > 7 && strings.EqualFold(v[0][:7], "bearer ") {
			bearer = strings.TrimSpace(v[0][7:])
		} else {
			bearer = "\x00" // malformed or of another scheme: no header can carry such a secret
		}
	}
	if v := h["X-Write-Key"]; len(v) > 0 {
		key = v[0]
	}
	two := len(h["Authorization"]) > 1 || len(h["X-Write-Key"]) > 1
	if two || bearer != "" && key != "" && bearer != key {
		return "", penstock.Refusef("two_tokens", "check token", "the request carries two different tokens")
	}
	if bearer != "" {
		return bearer, nil
	}
	return key, nil
}

// hasSecret reports whether a query names a parameter in which other services take tokens.
func hasSecret(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		switch strings.ToLower(name) {
		case "token", "access_token", "api_key", "apikey", "write_key", "writekey", "secret":
			return true
		}
	}
	return false
}

// addressOf returns the peer's address; of IPv6 the /64 that one customer has. What proxies say about it is not believed.
func addressOf(r *http.Request) netip.Addr {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	addr, _ := netip.ParseAddr(host)
	if addr = addr.Unmap(); addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.Addr()
	}
	return addr
}

// setSecurityHeaders keeps browsers from guessing, framing and caching answers. Handlers that serve pages replace them.
func setSecurityHeaders(h http.Header, r *http.Request) {
	h["X-Content-Type-Options"] = nosniff
	if r.Method == http.MethodPost {
		return
	}
	h["Content-Security-Policy"] = noContent
	h["Referrer-Policy"] = noReferrer
	h["Cache-Control"] = noStore
}

var (
	nosniff    = []string{"nosniff"}
	noContent  = []string{"default-src 'none'; frame-ancestors 'none'"}
	noReferrer = []string{"no-referrer"}
	noStore    = []string{"no-store"}
)

// recoverPanic turns a handler's panic into an answer. Whether an answer was begun cannot be known: the connection is cut
// after it, so that half an answer is never taken for a whole one.
func (g *Guard) recoverPanic(w http.ResponseWriter, r *http.Request) {
	value := recover()
	if value == nil {
		return
	}
	if value == http.ErrAbortHandler {
		panic(value)
	}
	if g.o.Trace.Panicked != nil {
		g.o.Trace.Panicked(r.Pattern, value, debug.Stack())
	}
	w.Header()["Connection"] = closeValue
	WriteError(w, r, penstock.Errorf(penstock.Internal, "serve request", "panic"))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
