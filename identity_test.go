package penstock

import (
	"encoding/hex"
	"testing"
)

// The vectors are those of the reference implementation for 128 bits (key 00..0f, messages 00.., first bytes).
func TestSipHash128(t *testing.T) {
	for n, want := range []string{"a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45"} {
		lo, hi := sipHash128(0x0706050403020100, 0x0f0e0d0c0b0a0908, []byte{0}[:n])
		var got []byte
		for _, v := range []uint64{lo, hi} {
			for i := range 8 {
				got = append(got, byte(v>>(8*i)))
			}
		}
		if hex.EncodeToString(got) != want {
			t.Errorf("%d bytes: %x, want %s", n, got, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	p := NewPartitioner(testCluster())
	of := func(stream, key, id string) Identity {
		return p.IdentityOf(DefaultTenant, stream, []byte(key), []byte(id))
	}
	seen := map[Identity]string{}
	for _, e := range [][3]string{
		{"a", "", "1"}, {"a", "1", "1"}, {"a", "1", "11"}, {"a", "11", "1"}, {"b", "", "1"}, {"a", "k", "1"}, {"a", "", "k1"}, {"ak", "", "1"},
	} {
		i := of(e[0], e[1], e[2])
		if other, ok := seen[i]; ok {
			t.Errorf("%v and %s are the same", e, other)
		}
		seen[i] = e[0] + "/" + e[1] + "/" + e[2]
		if of(e[0], e[1], e[2]) != i {
			t.Errorf("%v has two identities", e)
		}
	}
}

func TestTotal(t *testing.T) {
	var a, b, all Total
	for i, sum := range []Checksum{1, 1<<64 - 1, 1<<64 - 1, 7, 1 << 63, 1 << 63} {
		all.Add(sum)
		if i%2 == 0 {
			a.Add(sum)
		} else {
			b.Add(sum)
		}
	}
	if a.Plus(b) != all || b.Plus(a) != all || all.Minus(a) != b || all.Hi == 0 {
		t.Fatalf("%v + %v is not %v", a, b, all)
	}
	if twice := a.Plus(a).Plus(b); twice == all || twice.Minus(a) != all {
		t.Fatal("an event that is there twice does not show")
	}
}
