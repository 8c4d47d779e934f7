package edge

import (
	"log"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ServerOptions configures a server. The zero value has the limits that docs/adr/006-http.md gives reasons for.
type ServerOptions struct {
	HeaderTimeout  time.Duration // until a request's headers are there; 5 s if zero
	ReadTimeout    time.Duration // until its body is there, too, unless the handler gives it longer; HeaderTimeout if zero
	WriteTimeout   time.Duration // from the headers to the end of the answer, unless the handler gives it longer; 60 s if zero
	IdleTimeout    time.Duration // until the next request; 60 s if zero
	MaxHeaderBytes int           // net/http adds 4 KiB to it; 12 KiB if zero
	MaxStreams     int           // HTTP/2 requests at once on a connection; 128 if zero
	Log            func(line string)
	Now            func() time.Time
}

// NewServer returns a server whose limits are all explicit. What net/http has to say about broken connections goes to
// Log, a line a second at most with the number of those left out.
func NewServer(h http.Handler, o ServerOptions) *http.Server {
	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&o.HeaderTimeout, 5*time.Second)
	def(&o.ReadTimeout, o.HeaderTimeout) // the same, so that net/http sets one deadline and not two
	def(&o.WriteTimeout, time.Minute)
	def(&o.IdleTimeout, time.Minute)
	if o.MaxHeaderBytes == 0 {
		o.MaxHeaderBytes = 12 << 10
	}
	if o.MaxStreams == 0 {
		o.MaxStreams = 128
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            o.HeaderTimeout,
		ReadTimeout:                  o.ReadTimeout,
		WriteTimeout:                 o.WriteTimeout,
		IdleTimeout:                  o.IdleTimeout,
		MaxHeaderBytes:               o.MaxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     log.New(&slowLog{log: o.Log, now: o.Now}, "", 0),
		ConnContext:                  withConn,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: o.MaxStreams},
	}
}

// slowLog passes on a line a second, so that whoever sends garbage cannot fill a disk with it.
type slowLog struct {
	log func(line string)
	now func() time.Time

	mu      sync.Mutex
	last    time.Time
	skipped int
}

// Write implements io.Writer for log.Logger, which calls it once for each line.
func (s *slowLog) Write(line []byte) (int, error) {
	if s.log == nil {
		return len(line), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if !s.last.IsZero() && now.Sub(s.last) < time.Second {
		s.skipped++
		return len(line), nil
	}
	s.log(logLine(line, s.skipped))
	s.last, s.skipped = now, 0
	return len(line), nil
}

// maxLine is how much of a line is kept: it may quote what a client sent.
const maxLine = 256

func logLine(line []byte, skipped int) string {
	text := strings.TrimSuffix(string(line[:min(len(line), maxLine)]), "\n")
	if skipped > 0 {
		text += " (and " + strconv.Itoa(skipped) + " more)"
	}
	return text
}
