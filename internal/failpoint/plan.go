package failpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// plan is what happens at which point.
type plan struct {
	actions map[string]action

	mu   sync.Mutex
	came map[string]int
}

// action is what happens at a point.
type action struct {
	kind  string
	pause time.Duration // of sleep
	at    int           // the time that it is come by; 0: each time
}

// parse reads the variable's text.
func parse(text string) (*plan, error) {
	p := &plan{actions: map[string]action{}, came: map[string]int{}}
	for _, word := range strings.Fields(text) {
		name, what, _ := strings.Cut(word, "=")
		a, err := parseAction(what)
		if err == nil && !slices.Contains(points[:], name) {
			err = fmt.Errorf("there is no such point")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", Variable, word, err)
		}
		p.actions[name] = a
	}
	return p, nil
}

func parseAction(text string) (action, error) {
	var a action
	what, at, counted := strings.Cut(text, "@")
	if counted {
		n, err := strconv.Atoi(at)
		if err != nil || n < 1 {
			return a, fmt.Errorf("@%s is not a number from 1 on", at)
		}
		a.at = n
	}
	kind, pause, timed := strings.Cut(what, ":")
	a.kind = kind
	switch {
	case kind == "sleep" && timed:
		var err error
		a.pause, err = time.ParseDuration(pause)
		return a, err
	case !timed && slices.Contains([]string{"kill", "panic", "error"}, kind):
		return a, nil
	}
	return a, fmt.Errorf("not kill, panic, error or sleep:TIME")
}

// due counts a coming by, and returns what is to happen.
func (p *plan) due(name string) (action, bool) {
	a, ok := p.actions[name]
	if !ok {
		return a, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.came[name]++
	return a, a.at == 0 || p.came[name] == a.at
}
