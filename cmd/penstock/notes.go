package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"penstock"
	"penstock/client"
)

// noteWriter writes remarks to standard error, around a line of progress that may stand there. It may be used
// concurrently.
type noteWriter struct {
	w     io.Writer
	quiet bool // only what must be known

	mu       sync.Mutex
	troubles map[string]bool // what is being waited for
	standing int             // characters of the progress line that stands, 0 if none does
}

// note writes a remark on a line of its own.
func (n *noteWriter) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.erase()
	fmt.Fprintf(n.w, format+"\n", args...)
}

// maxTroubles is how many are told before the first is over.
const maxTroubles = 8

// retry says what is being waited for, each once until it is over.
func (n *noteWriter) retry(err error, _ time.Duration) {
	text := cause(err).Error()
	var e *penstock.Error
	if errors.As(err, &e) && e.Reason != "" && e.Reason != client.Unreachable {
		text += " (" + e.Reason + ")"
	}
	n.mu.Lock()
	tell := !n.quiet && !n.troubles[text] && len(n.troubles) < maxTroubles
	if tell {
		if n.troubles == nil {
			n.troubles = map[string]bool{}
		}
		n.troubles[text] = true
	}
	n.mu.Unlock()
	if tell {
		n.note("penstock: %s; trying again", text)
	}
}

// clear says that the trouble is over.
func (n *noteWriter) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.troubles)
}

// draw puts text in the place of the progress line. It needs no escape sequences.
func (n *noteWriter) draw(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	width := utf8.RuneCountInString(text)
	fmt.Fprint(n.w, "\r", text, strings.Repeat(" ", max(0, n.standing-width)))
	n.standing = width
}

// end takes the progress line away.
func (n *noteWriter) end() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.erase()
}

func (n *noteWriter) erase() {
	if n.standing > 0 {
		fmt.Fprint(n.w, "\r", strings.Repeat(" ", n.standing), "\r")
	}
	n.standing = 0
}
