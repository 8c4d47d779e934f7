package query

import (
	"maps"
	"testing"

	"penstock"
)

func TestCursors(t *testing.T) {
	s := newSigner(testCluster())
	for _, at := range []penstock.Positions{
		{}, {0: {}}, {0: {Epoch: 1}}, {5: {Epoch: 1, Offset: 7}}, {1023: {Epoch: 1<<32 - 1, Offset: 1<<63 - 1}},
		{0: {Epoch: 2, Offset: 1}, 1: {Epoch: 2, Offset: 300}, 7: {Epoch: 1, Offset: 2}, 9: {}, 1000: {Epoch: 1, Offset: 1 << 40}},
	} {
		token := s.sign("q", at, at.Partitions())
		got, err := s.open("q", token)
		if err != nil || !maps.Equal(got, at) {
			t.Errorf("%v became %v, %v", at, got, err)
		}
		if _, err := s.open("p", token); !penstock.Is(err, penstock.Invalid) {
			t.Errorf("another question got %v", err)
		}
	}
}

// TestCursorsFitHeaders holds that the largest cursor can be sent back.
func TestCursorsFitHeaders(t *testing.T) {
	at := penstock.Positions{}
	for _, p := range penstock.All(penstock.MaxPartitions) {
		at[p] = penstock.Position{Epoch: 3, Offset: 1 << 41}
	}
	s := newSigner(testCluster())
	token := s.sign("q", at, at.Partitions())
	if got, err := s.open("q", token); err != nil || !maps.Equal(got, at) || len(token) > 11<<10 {
		t.Errorf("%d characters, %v", len(token), err)
	}
}

func FuzzCursor(f *testing.F) {
	s := newSigner(testCluster())
	at := penstock.Positions{1: {Epoch: 1, Offset: 7}, 3: {Epoch: 2, Offset: 1 << 40}}
	f.Add(s.sign("q", at, at.Partitions()), []byte{2, 1, 1, 7})
	f.Add("", []byte{})
	f.Add("AQAA", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, token string, body []byte) {
		if got, err := s.open("q", token); err == nil && s.sign("q", got, got.Partitions()) != token {
			t.Errorf("%q was accepted as %v", token, got)
		}
		if got, ok := positionsOf(body); ok {
			again, err := s.open("q", s.sign("q", got, got.Partitions()))
			if err != nil || !maps.Equal(got, again) {
				t.Errorf("%x is %v and then %v, %v", body, got, again, err)
			}
		}
	})
}
