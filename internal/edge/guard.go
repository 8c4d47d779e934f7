package edge

import (
	"net/http"
	"sync/atomic"
	"time"

	"penstock"
)

// GuardOptions configures a Guard. The zero value works: everything is open, for callers on loopback names.
type GuardOptions struct {
	Tokens     *Tokens
	Hosts      []string // names besides loopback's that Host may carry while there are no tokens, such as the listen address
	MaxHeaders int      // header fields of a request; 100 if zero
	MaxURL     int      // bytes of a request's target; 8 KiB if zero
	WrongKeys  int      // wrong tokens from an address before it gets 429; 20 if zero. One is forgotten each second
	Now        func() time.Time
	Trace      GuardTrace
}

// GuardTrace hears what a guard does. Functions may be nil and are called concurrently.
type GuardTrace struct {
	Refused  func(reason string)                           // a request that no handler saw
	Panicked func(pattern string, value any, stack []byte) // a handler's defect; the client was told nothing of it
}

// Guard stands before all routes of a listener. In this order it refuses: too many headers (431), a long target (414), odd paths (400),
// a foreign Host (400, 421), an unknown route (404) or method (405), a missing or wrong token (401, 429), one without the
// right (403), another site's page (403). All that happens before the body is read. A panic of a handler becomes 500 without text.
type Guard struct {
	o      GuardOptions
	hosts  []string
	tokens atomic.Pointer[Tokens]
	mux    *http.ServeMux
	wrong  *wrongKeys
	cross  *http.CrossOriginProtection
}

// NewGuard returns a guard without routes.
func NewGuard(o GuardOptions) *Guard {
	if o.MaxHeaders == 0 {
		o.MaxHeaders = 100
	}
	if o.MaxURL == 0 {
		o.MaxURL = 8 << 10
	}
	if o.WrongKeys == 0 {
		o.WrongKeys = 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Guard{o: o, mux: http.NewServeMux(), wrong: newWrongKeys(o.WrongKeys), cross: http.NewCrossOriginProtection()}
	for _, host := range o.Hosts {
		g.hosts = append(g.hosts, hostName(host))
	}
	g.tokens.Store(o.Tokens)
	g.mux.HandleFunc("/", g.noRoute)
	return g
}

// Handle registers a handler for a pattern of net/http.ServeMux that names its method, such as "POST /v1/sql". Who calls it
// needs a token with the scope. It panics if the pattern is not legal or conflicts with another.
func (g *Guard) Handle(pattern string, scope Scope, h http.Handler) {
	g.mux.Handle(pattern, &route{guard: g, scope: scope, handler: h})
}

// SetTokens replaces the tokens. Requests that start afterwards are judged by the new ones.
func (g *Guard) SetTokens(t *Tokens) { g.tokens.Store(t) }

// ServeHTTP answers a request, or lets the handler of its route do so.
func (g *Guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recoverPanic(w, r)
	setSecurityHeaders(w.Header(), r)
	if err := g.check(r); err != nil {
		g.refuse(w, r, err)
		return
	}
	g.mux.ServeHTTP(w, r)
}

// check looks at what needs no route.
func (g *Guard) check(r *http.Request) error {
	const op = "check request"
	switch {
	case tooManyHeaders(r.Header, g.o.MaxHeaders):
		return penstock.Refusef("too_many_headers", op, "more than %d header fields", g.o.MaxHeaders)
	case len(r.RequestURI) > g.o.MaxURL:
		return penstock.Refusef("uri_too_long", op, "the target is longer than %d bytes", g.o.MaxURL)
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace || r.URL.Path == "*":
		return errMethod
	case !cleanPath(r.URL.Path):
		return penstock.Refusef("bad_path", op, "the path has empty or dotted segments, or bytes that are not text")
	case r.Host == "":
		return penstock.Refusef("bad_host", op, "the header Host is missing")
	}
	if g.tokens.Load().Open() && !g.knownHost(r.Host) {
		return penstock.Refusef("misdirected", op,
			"Host is neither loopback nor the address listened on, and no tokens are configured")
	}
	return nil
}

// route is a handler behind the checks that need to know the route.
type route struct {
	guard   *Guard
	scope   Scope
	handler http.Handler
}

// ServeHTTP implements http.Handler.
func (t *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.scope != None {
		if err := t.guard.authorize(w, r, t.scope); err != nil {
			t.guard.refuse(w, r, err)
			return
		}
	}
	t.handler.ServeHTTP(w, r)
}

// refuse answers a request whose body nobody will read.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g.o.Trace.Refused != nil {
		g.o.Trace.Refused(Reason(err))
	}
	if r.ContentLength != 0 {
		Abandon(w)
	}
	if err == errMethod {
		w.Header()["Allow"] = []string{g.allowed(r)}
	}
	WriteError(w, r, err)
}

// Abandon is called before an answer when nobody will read the rest of the request's body: the connection is closed after
// the answer. Otherwise net/http would read up to 256 KiB of it, however slowly they come, before it answers.
func Abandon(w http.ResponseWriter) {
	w.Header()["Connection"] = closeValue
	_ = http.NewResponseController(w).SetReadDeadline(longAgo) // a writer that cannot has no socket to wait for
}

var longAgo = time.Unix(1, 0)

var closeValue = []string{"close"}
