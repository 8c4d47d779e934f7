//go:build failpoints

package failpoint

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What is asked for happens at its time, and at no other.
func TestActions(t *testing.T) {
	p, err := parse("log.synced=panic@2 log.written=sleep:90s store.before-commit=error@1")
	if err != nil {
		t.Fatal(err)
	}
	panicked := func() (value any) {
		defer func() { value = recover() }()
		_ = p.come("log.synced")
		return nil
	}
	if value := panicked(); value != nil {
		t.Errorf("the first time: panic %v", value)
	}
	if text, _ := panicked().(string); !strings.Contains(text, "log.synced") {
		t.Errorf("the second time: panic %q", text)
	}
	if value := panicked(); value != nil {
		t.Errorf("the third time: panic %v", value)
	}
	if err := p.come("store.before-commit"); err == nil || !strings.Contains(err.Error(), "store.before-commit") {
		t.Errorf("the first time: error %v", err)
	}
	if err := p.come("store.before-commit"); err != nil {
		t.Errorf("the second time: error %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		for range 2 { // without a number it happens each time
			began := time.Now()
			if err := p.come("log.written"); err != nil || time.Since(began) != 90*time.Second {
				t.Errorf("%v after %v", err, time.Since(began))
			}
		}
	})
	if err := p.come("door.appended"); err != nil {
		t.Errorf("where nothing is asked for: %v", err)
	}
}
