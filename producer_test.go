package penstock

import (
	"errors"
	"strings"
	"testing"
)

func TestParseProducer(t *testing.T) {
	longest := strings.Repeat("n", int(MaxProducerLen))
	for text, want := range map[string]Producer{
		"agent-1/42": {"agent-1", 42}, "a b~!/1": {"a b~!", 1}, longest + "/18446744073709551615": {longest, 1<<64 - 1},
	} {
		got, err := ParseProducer(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("%q: %+v, %v, %q", text, got, err, got.String())
		}
	}
	for _, text := range []string{
		"", "/", "name", "name/", "/1", "name/0", "name/-1", "name/+1", "name/1.0", "name/1e3", "name/0x1", "name/1_0", "name/ 1", "name/1 ",
		"a/b/1", "name/18446744073709551616", longest + "n/1", "näme/1", "na\x00me/1", "na\tme/1", "na\x7fme/1",
	} {
		var e *Error
		if got, err := ParseProducer(text); !errors.As(err, &e) || e.Reason != "bad_producer" || e.Code != Invalid || got != (Producer{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
