package edge

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"penstock"
)

// ListenOptions configures a listener. The zero value listens on loopback addresses only.
type ListenOptions struct {
	Guarded     bool         // there are tokens: other addresses than loopback are allowed
	Certificate *Certificate // nil: plain TCP
	MaxConns    int          // connections at once; 16,384 if zero
}

// Listen opens a TCP listener on addr. Connections beyond the cap are answered 503 and closed; with TLS they are only
// closed, since an answer would cost the handshake that the cap shall save. It fails with Invalid when addr is not a
// loopback address and there are no tokens.
func Listen(addr string, o ListenOptions) (net.Listener, error) {
	const op = "listen"
	if !o.Guarded && !loopback(addr) {
		return nil, penstock.Errorf(penstock.Invalid, op,
			"%q is not a loopback address: configure tokens before the server can be reached from other machines", addr)
	}
	if o.MaxConns == 0 {
		o.MaxConns = 16384
	}
	inner, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, penstock.Wrap(penstock.Unavailable, op, err)
	}
	capped := &cappedListener{Listener: inner, limit: int64(o.MaxConns), silent: o.Certificate != nil}
	if o.Certificate != nil {
		return tls.NewListener(capped, o.Certificate.config()), nil
	}
	return capped, nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// cappedListener holds the number of open connections.
type cappedListener struct {
	net.Listener
	limit  int64
	silent bool // close without an answer

	open    atomic.Int64
	turning atomic.Int64 // connections that are being turned away
}

// Accept returns the next connection within the cap.
func (l *cappedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			return &cappedConn{Conn: conn, listener: l}, nil
		}
		l.open.Add(-1)
		l.turnAway(conn)
	}
}

const maxTurning = 64 // connections that are given time to read why they are turned away

func (l *cappedListener) turnAway(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if l.silent || !ok || l.turning.Add(1) > maxTurning {
		if !l.silent && ok {
			l.turning.Add(-1)
		}
		_ = conn.Close()
		return
	}
	go func() {
		defer l.turning.Add(-1)
		defer func() { _ = tcp.Close() }()
		_ = tcp.SetDeadline(time.Now().Add(time.Second))
		_, _ = tcp.Write(busyAnswer)
		_ = tcp.CloseWrite()
		_, _ = io.Copy(io.Discard, io.LimitReader(tcp, 64<<10)) // closing earlier would reset what was written
	}()
}

var busyAnswer = func() []byte {
	body := `{"type":"urn:penstock:problem:overloaded","title":"Service Unavailable","status":503,"code":"overloaded",` +
		`"detail":"too many connections: try again later","outcome":"not_stored"}` + "\n"
	return []byte("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nRetry-After: 1\r\n" +
		"Connection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}()

// cappedConn gives its place back when it is closed.
type cappedConn struct {
	net.Conn
	listener  *cappedListener
	once      sync.Once
	unwatched atomic.Bool // see Unwatch
}

// Read reads. The single byte is what net/http looks for beside a handler, to learn that the client went away: on a connection that is
// not watched there is none, which ends its looking at once.
func (c *cappedConn) Read(p []byte) (int, error) {
	if len(p) == 1 && c.unwatched.Load() {
		return 0, nil
	}
	return c.Conn.Read(p)
}

// Close closes the connection.
func (c *cappedConn) Close() error {
	c.once.Do(func() { c.listener.open.Add(-1) })
	return c.Conn.Close()
}

// CloseWrite ends what is sent and leaves the rest open. net/http uses it so that an answer is read before the connection
// goes, even by a sender that is still sending.
func (c *cappedConn) CloseWrite() error {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		return tcp.CloseWrite()
	}
	return nil
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// Unwatch is for handlers that see their work through even when the client goes away, before they read the body: the request's context
// does not end then. net/http would spend a goroutine, a read and its interruption on each request to learn it. Watch ends it.
func Unwatch(r *http.Request) { setUnwatched(r, true) }

// Watch must be called before the handler that called Unwatch returns.
func Watch(r *http.Request) { setUnwatched(r, false) }

func setUnwatched(r *http.Request, yes bool) {
	if c, ok := r.Context().Value(connKey{}).(*cappedConn); ok { // with TLS it is another's
		c.unwatched.Store(yes)
	}
}
