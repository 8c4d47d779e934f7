package main

import (
	"context"
	"errors"
	"testing"
)

// TestInterruptIsNotTheReason tells a server that could not end in order from a command that was interrupted.
func TestInterruptIsNotTheReason(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p, why := &program{running: true}, errors.New("close log: it failed")
	if got := p.exitStatus(ctx, endError{why}); got != exitFailed {
		t.Errorf("a server that could not end in order: status %d", got)
	}
	for _, err := range []error{why, &exitError{exitPartly, why}} {
		if got := p.exitStatus(ctx, err); got != exitInterrupted {
			t.Errorf("%v: status %d", err, got)
		}
	}
}
