package killtest

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestContent writes, cuts, syncs and loses at random, beside a slice of bytes that does the same.
func TestContent(t *testing.T) {
	const longest = 5 * blockSize
	random := rand.New(rand.NewPCG(1, 0))
	c, now, kept := &content{}, []byte{}, []byte{}
	for step := range 20_000 {
		at := random.IntN(longest)
		switch random.IntN(8) {
		case 0:
			c.resize(int64(at))
			now = append(now, make([]byte, longest)...)[:at:at]
		case 1:
			c.sync()
			kept = bytes.Clone(now)
		case 2:
			c = c.survivor(nothing(random))
			now = bytes.Clone(kept)
		default:
			text := bytes.Repeat([]byte{byte(step)}, random.IntN(longest-at))
			if len(text) == 0 {
				continue
			}
			c.write(text, int64(at))
			now = append(now, make([]byte, max(0, at+len(text)-len(now)))...)
			copy(now[at:], text)
		}
		if got := c.read(make([]byte, longest+1), 0); !bytes.Equal(got, now) {
			t.Fatalf("step %d: %d bytes, or others, instead of %d", step, len(got), len(now))
		}
	}
}

// TestSomeSurvives: what was not synced is there, or not, or in part, each now and then; what was synced is.
func TestSomeSurvives(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 0))
	var whole, none, torn int
	for range 2000 {
		c := &content{}
		c.write(bytes.Repeat([]byte{1}, 2*blockSize), 0)
		c.sync()
		c.write(bytes.Repeat([]byte{2}, blockSize), 0)
		got := c.survivor(some(random)).read(make([]byte, 2*blockSize), 0)
		if len(got) != 2*blockSize || bytes.Count(got[blockSize:], []byte{1}) != blockSize {
			t.Fatal("what was synced is lost")
		}
		switch bytes.Count(got, []byte{2}) {
		case blockSize:
			whole++
		case 0:
			none++
		default:
			torn++
		}
	}
	if whole == 0 || none == 0 || torn == 0 {
		t.Errorf("%d whole, %d lost, %d torn", whole, none, torn)
	}
}
