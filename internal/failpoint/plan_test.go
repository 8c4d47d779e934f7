package failpoint

import (
	"testing"
	"time"
)

func TestPlanIsReadAndCounted(t *testing.T) {
	p, err := parse(" log.synced=kill@2  store.committed=error ids.named=sleep:50ms@1 ")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		name string
		due  bool
		kind string
	}{
		{"log.synced", false, ""},
		{"log.synced", true, "kill"},
		{"log.synced", false, ""},
		{"store.committed", true, "error"},
		{"store.committed", true, "error"},
		{"log.written", false, ""},
		{"ids.named", true, "sleep"},
		{"ids.named", false, ""},
	} {
		a, due := p.due(want.name)
		if due != want.due || due && a.kind != want.kind {
			t.Errorf("%d: %s: %v, %v", i, want.name, a, due)
		}
	}
	if a := p.actions["ids.named"]; a.pause != 50*time.Millisecond {
		t.Errorf("%v", a)
	}
}

func TestPlanRefusesWhatItDoesNotKnow(t *testing.T) {
	for _, text := range []string{
		"log.synced", "log.synced=", "log.sunk=kill", "log.synced=kill@0", "log.synced=kill@x", "log.synced=kill:1s",
		"log.synced=sleep", "log.synced=sleep:soon", "log.synced=explode",
	} {
		if p, err := parse(text); err == nil {
			t.Errorf("%q is taken as %v", text, p.actions)
		}
	}
}
