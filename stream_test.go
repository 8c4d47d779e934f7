package penstock

import (
	"strings"
	"testing"
)

func TestCheckStreamName(t *testing.T) {
	for _, name := range []string{"clicks", "a", "order", "user", "a1_b", strings.Repeat("a", 63)} {
		if err := CheckStreamName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "1a", "_a", "Clicks", "../etc", "a'b", "a b", "a\x00", "ä", "penstock", "pg_x", "duckdb_x", strings.Repeat("a", 64), strings.Repeat("a", 65)} {
		if err := CheckStreamName(name); !Is(err, Invalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
