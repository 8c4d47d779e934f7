package consumer

import (
	"encoding/hex"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"penstock"
	"penstock/internal/vfs"
)

func at(epoch penstock.Epoch, offset penstock.Offset) penstock.Position {
	return penstock.Position{Epoch: epoch, Offset: offset}
}

// someMark has two partitions with records and one without.
func someMark() Mark {
	return Mark{
		Hand:    true,
		From:    penstock.Positions{7: at(1, 2), 3: {}, 5: at(1, 9)},
		Next:    penstock.Positions{7: at(1, 300), 3: at(1, 40), 5: at(1, 9)},
		Records: 338, Crashes: 2, Vain: 1, Wait: 5 * time.Second, Took: 300 * time.Millisecond,
	}
}

// TestMarkBytes holds the bytes of docs/format/marker.md.
func TestMarkBytes(t *testing.T) {
	const want = "50534d4b" + "0100" + "0000" + "9e875816" + "01000000" + "52010000" + "02000000" + "01000000" +
		"404b4c0000000000" + "e093040000000000" + "02000000" +
		"0300" + "00000000" + "0000000000000000" + "01000000" + "2800000000000000" +
		"0700" + "01000000" + "0200000000000000" + "01000000" + "2c01000000000000"
	data := someMark().appendTo(nil)
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	m, err := decodeMark(append(data, "of a longer mark"...))
	expected := someMark()
	delete(expected.From, 5)
	delete(expected.Next, 5)
	if err != nil || !reflect.DeepEqual(m, expected) {
		t.Errorf("%+v, %v", m, err)
	}
}

// TestMarkDamaged reads what a torn write or decay leaves: never another mark.
func TestMarkDamaged(t *testing.T) {
	data := someMark().appendTo(nil)
	for n := range data {
		if m, err := decodeMark(data[:n]); !reflect.DeepEqual(m, Mark{}) || n >= 4 && !penstock.Is(err, penstock.Corrupt) {
			t.Errorf("the first %d bytes: %+v, %v", n, m, err)
		}
		for bit := range 8 {
			data[n] ^= 1 << bit
			if m, err := decodeMark(data); !reflect.DeepEqual(m, Mark{}) || err == nil {
				t.Errorf("bit %d of byte %d: %+v, %v", bit, n, m, err)
			}
			data[n] ^= 1 << bit
		}
	}
	for _, nothing := range [][]byte{nil, make([]byte, 10), make([]byte, maxMark)} {
		if m, err := decodeMark(nothing); err != nil || !reflect.DeepEqual(m, Mark{}) {
			t.Errorf("%d zeros: %+v, %v", len(nothing), m, err)
		}
	}
	data[4] = 2
	if _, err := decodeMark(data); !penstock.Is(err, penstock.Conflict) {
		t.Errorf("a newer version: %v", err)
	}
}

func FuzzDecodeMark(f *testing.F) {
	f.Add(someMark().appendTo(nil))
	f.Add(Mark{}.appendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeMark(data)
		if err != nil {
			return
		}
		again, err := decodeMark(m.appendTo(nil))
		if err != nil || len(again.From) > 0 && !reflect.DeepEqual(again.From, m.From) {
			t.Errorf("%+v, then %+v, %v", m, again, err)
		}
	})
}

// TestMarkFile is kept from one process to the next, a shorter mark over a longer one, by the real file system too.
func TestMarkFile(t *testing.T) {
	for _, fs := range []vfs.FS{vfs.NewMemory(0), vfs.OS()} {
		name := filepath.Join(t.TempDir(), "mark")
		long := Mark{Hand: true, From: penstock.Positions{}, Next: penstock.Positions{}, Records: 1}
		for p := range penstock.Partition(penstock.MaxPartitions) {
			long.From[p], long.Next[p] = at(1, penstock.Offset(p)), at(2, penstock.Offset(p))
		}
		short := someMark()
		delete(short.From, 5)
		delete(short.Next, 5)
		for i, m := range []Mark{{}, short, long, short, {}, long} {
			f, err := OpenMarkFile(fs, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Save(m); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			if f, err = OpenMarkFile(fs, name); err != nil {
				t.Fatal(err)
			}
			if got, err := f.Load(); err != nil || !reflect.DeepEqual(got, m) {
				t.Errorf("mark %d: %v", i, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestMarkFileOnAFullDisk has its blocks already.
func TestMarkFileOnAFullDisk(t *testing.T) {
	fs := vfs.NewMemory(1 << 20)
	f, err := OpenMarkFile(fs, "mark")
	if err != nil {
		t.Fatal(err)
	}
	fs.SetSize(1)
	if err := f.Save(someMark()); err != nil {
		t.Error(err)
	}
}

// TestGarbageInTheMarkFile is reported, and counts as no mark.
func TestGarbageInTheMarkFile(t *testing.T) {
	for _, size := range []int{1, 3, 4, 47, 48, 100, 5000} {
		synctest.Test(t, func(t *testing.T) {
			l := newLives(t, 1)
			l.append(5, 10)
			random := rand.New(rand.NewPCG(uint64(size), 0))
			garbage := make([]byte, size)
			for i := range garbage {
				garbage[i] = byte(random.Uint32())
			}
			if err := vfs.WriteFile(l.files, "shard-0", garbage); err != nil {
				t.Fatal(err)
			}
			said := 0
			l.options.Trace.Unmarked = func(error) { said++ }
			l.options.Trace.Suspect = func(int, int, time.Duration) { t.Error("garbage makes suspect") }
			if n := l.restarts(0); n != 0 || said != 1 {
				t.Errorf("%d bytes: %d restarts, reported %d times", size, n, said)
			}
			l.stores[0].judge(t, l.events, "", ids())
		})
	}
}

// TestJudge goes through what a mark may say.
func TestJudge(t *testing.T) {
	here := penstock.Positions{3: {}, 7: at(1, 2), 9: at(1, 1)}
	mark := func(change func(m *Mark)) Mark {
		m := someMark()
		m.Crashes, m.Vain, m.Took, m.Wait = 0, 0, 0, 0
		change(&m)
		return m
	}
	for name, c := range map[string]struct {
		mark    Mark
		at      penstock.Positions
		crashes int // -1: nothing is suspect
		span    time.Duration
	}{
		"nothing":              {Mark{}, here, -1, 0},
		"a first crash":        {mark(func(*Mark) {}), here, 1, time.Second},
		"applied":              {mark(func(*Mark) {}), penstock.Positions{3: at(1, 40), 7: at(1, 300)}, -1, 0},
		"applied in part":      {mark(func(*Mark) {}), penstock.Positions{3: {}, 7: at(1, 300)}, -1, 0},
		"another store":        {mark(func(*Mark) {}), penstock.Positions{3: {}}, -1, 0},
		"outage of a batch":    {mark(func(m *Mark) { m.Hand = false }), here, -1, 0},
		"no records":           {mark(func(m *Mark) { m.Records = 0 }), here, -1, 0},
		"a second crash, slow": {mark(func(m *Mark) { m.Crashes, m.Took = 1, time.Second }), here, 2, 100 * time.Second},
		"after a wait":         {mark(func(m *Mark) { m.Crashes, m.Wait = 2, time.Second }), here, 3, time.Second},
		"in time":              {mark(func(m *Mark) { m.Crashes, m.Wait, m.Took = 2, 10*time.Second, 199*time.Millisecond }), here, 3, 19900 * time.Millisecond},
		"too late":             {mark(func(m *Mark) { m.Crashes, m.Wait, m.Took = 2, 10*time.Second, 200*time.Millisecond }), here, 2, 20 * time.Second},
		"much too late":        {mark(func(m *Mark) { m.Crashes, m.Wait, m.Took = 2, 10*time.Second, time.Hour }), here, 2, maxWait},
		"without a wait":       {mark(func(m *Mark) { m.Crashes = 2 }), here, 2, time.Second},
		"during a wait":        {mark(func(m *Mark) { m.Hand, m.Crashes, m.Vain = false, 2, maxVain-1 }), here, 2, time.Second},
		"once too often":       {mark(func(m *Mark) { m.Hand, m.Crashes, m.Vain = false, 2, maxVain }), here, -1, 0},
		"too late too often":   {mark(func(m *Mark) { m.Crashes, m.Took, m.Vain = 2, time.Second, maxVain }), here, -1, 0},
	} {
		s := judge(c.mark, c.at, time.Second)
		switch {
		case s == nil && c.crashes >= 0:
			t.Errorf("%s: not suspect", name)
		case s != nil && (s.crashes != c.crashes || s.span != c.span || s.left != 338 || len(s.next) != 2):
			t.Errorf("%s: %+v, want %d crashes, %v", name, s, c.crashes, c.span)
		}
	}
}

// TestParts comes to a single record by the crash that condemns it, from any number up to a million, in sixteenths where they suffice.
func TestParts(t *testing.T) {
	for n := 1; n <= 1_000_000; n += 1 + n/50 {
		size := n
		for crashes := 1; crashes < verdictAt; crashes++ {
			s := &suspect{records: size, crashes: crashes}
			part := s.part()
			if n <= 1<<16 && part != (size+15)/16 {
				t.Errorf("%d of %d after %d crashes", part, size, crashes)
			}
			if parts := (size + part - 1) / part; parts > 40 {
				t.Errorf("%d parts of %d", parts, size)
			}
			size = part
		}
		if size != 1 {
			t.Errorf("from %d it comes to %d", n, size)
		}
	}
}

func BenchmarkMark(b *testing.B) {
	f, err := OpenMarkFile(vfs.OS(), filepath.Join(b.TempDir(), "mark"))
	if err != nil {
		b.Fatal(err)
	}
	m := Mark{Hand: true, From: penstock.Positions{}, Next: penstock.Positions{}, Records: 120_000}
	for p := range penstock.Partition(64) {
		m.From[p], m.Next[p] = at(1, 1e6), at(1, 1e6+2000)
	}
	for b.Loop() {
		if err := f.Save(m); err != nil {
			b.Fatal(err)
		}
	}
}
