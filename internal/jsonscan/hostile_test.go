package jsonscan

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// objectOf writes random objects within each other and notes whether one has a name twice.
type objectOf struct {
	random *rand.Rand
	out    bytes.Buffer
	twice  bool
}

func (o *objectOf) write(depth int) {
	seen := map[string]bool{}
	count := 1 + o.random.IntN([]int{4, 18, 60}[o.random.IntN(3)])
	o.out.WriteByte('{')
	for i := range count {
		if i > 0 {
			o.out.WriteByte(',')
		}
		name := o.name(i)
		o.twice = o.twice || seen[name]
		seen[name] = true
		o.spell(name)
		o.out.WriteByte(':')
		if depth < 4 && o.random.IntN(20) == 0 {
			o.write(depth + 1)
		} else {
			o.out.WriteString("1")
		}
	}
	o.out.WriteByte('}')
}

// name returns the name of a member: mostly a new one, of any length, with beginnings and ends that many share.
func (o *objectOf) name(i int) string {
	if o.random.IntN(60) == 0 {
		i = o.random.IntN(i + 1)
	}
	return []string{"", "a", "12345678", "12345678-"}[i%4] + fmt.Sprintf("%03d", i) + []string{"", "x", "-12345678"}[i%3]
}

// spell writes a name, now and then with escapes.
func (o *objectOf) spell(name string) {
	o.out.WriteByte('"')
	for _, c := range name {
		if o.random.IntN(50) == 0 {
			fmt.Fprintf(&o.out, `\u%04x`, c)
		} else {
			o.out.WriteRune(c)
		}
	}
	o.out.WriteByte('"')
}

// Names are found twice in objects of every size, whatever shape the names have, and only in the same object.
func TestDuplicatesAgainstAMap(t *testing.T) {
	var s Scanner
	found := 0
	for seed := range uint64(3000) {
		o := &objectOf{random: rand.New(rand.NewPCG(seed, 0))}
		o.write(0)
		_, fault := s.Scan(o.out.Bytes(), nil, nil)
		if (fault != nil) != o.twice || fault != nil && fault.Code != DuplicateMember {
			t.Fatalf("seed %d: fault %v, twice %v: %s", seed, fault, o.twice, o.out.Bytes())
		}
		if o.twice {
			found++
		}
	}
	if found < 300 || found > 2700 {
		t.Errorf("%d of 3,000 have a name twice: that tests little", found)
	}
}

// A scanner's numbers of objects begin anew before they overflow.
func TestObjectNumbersBeginAnew(t *testing.T) {
	var s Scanner
	var wide strings.Builder
	for i := range 40 {
		fmt.Fprintf(&wide, `,"%d":{}`, i)
	}
	data := []byte("{" + wide.String()[1:] + "}")
	s.names.last = 1<<31 - 100
	for range 10 {
		if _, fault := s.Scan(data, nil, nil); fault != nil {
			t.Fatal(fault)
		}
	}
	if s.names.last > 1<<31 {
		t.Errorf("number %d", s.names.last)
	}
}

// BenchmarkHostile shows what the worst bodies cost for each of their bytes: nothing grows faster than they do.
func BenchmarkHostile(b *testing.B) {
	colliding := func(n int) string { // beginning, end and length are the same: so is the fingerprint
		var out strings.Builder
		for i := range n {
			fmt.Fprintf(&out, `,"12345678%08d12345678":1`, i)
		}
		return "{" + out.String()[1:] + "}"
	}
	for _, c := range []struct{ name, data string }{
		{"brackets", strings.Repeat("[", 100_000)},
		{"colliding-400", colliding(400)},
		{"colliding-4000", colliding(4000)},
		{"escapes", `"` + strings.Repeat(`\u0061`, 40_000) + `"`},
		{"characters", `"` + strings.Repeat("é", 60_000) + `"`},
		{"digits", strings.Repeat("7", 250_000)},
		{"point-digits", "0." + strings.Repeat("7", 4000)},
		{"objects", "[" + strings.Repeat(`{"a":{"b":1}},`, 1300) + "0]"},
		{"quotes", "[" + strings.Repeat(`"",`, 80_000) + "0]"},
	} {
		b.Run(c.name, func(b *testing.B) {
			var s Scanner
			data := []byte(c.data)
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				s.Scan(data, nil, nil)
			}
		})
	}
}
