package audit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"penstock"
	"penstock/eventlog/memory"
	"penstock/internal/checksum"
	store "penstock/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func cluster() penstock.Cluster {
	return penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1, 2, 3}, Partitions: 4}
}

// journal is a log as the audit and its neighbours see it.
type journal interface {
	penstock.Appender
	penstock.Reader
	penstock.Accountant
	penstock.Retainer
	Close() error
}

func newJournal(o memory.Options) journal {
	o.Partitions = cluster().Partitions
	return memory.New(o)
}

// shop is the reference store, of which tests can change what it says.
type shop struct {
	*store.Store
	moment  sync.RWMutex // held by what changes rows or letters, so that Find sees those of one moment
	tallies func(map[penstock.Lane]penstock.Tally)
	extra   []penstock.Record             // rows that it has besides
	hidden  map[penstock.Place]bool       // rows that it does not have
	between func()                        // runs after each Tallies
	body    map[penstock.Place]string     // rows whose body is another one
	asked   []penstock.Record             // by Repeats
	failing func(what string) (err error) // nil: never
}

// Tallies implements penstock.Auditor.
func (s *shop) Tallies(ctx context.Context) (map[penstock.Lane]penstock.Tally, penstock.Positions, error) {
	tallies, at, err := s.Store.Tallies(ctx)
	if s.tallies != nil {
		s.tallies(tallies)
	}
	if s.between != nil {
		s.between()
	}
	return tallies, at, err
}

// Apply implements penstock.Store.
func (s *shop) Apply(ctx context.Context, b penstock.Batch) error {
	s.moment.Lock()
	defer s.moment.Unlock()
	return s.Store.Apply(ctx, b)
}

// Drop implements penstock.DeadLetters.
func (s *shop) Drop(ctx context.Context, places []penstock.Place) (int, error) {
	s.moment.Lock()
	defer s.moment.Unlock()
	return s.Store.Drop(ctx, places)
}

// rows returns the rows under the places at which they were accepted.
func (s *shop) rows() []penstock.Record {
	var rows []penstock.Record
	for _, r := range append(s.Records(), s.extra...) {
		if r.ReplayOf != (penstock.Position{}) {
			r.Position = r.ReplayOf
		}
		at := placeOf(&r).vocabulary()
		if body, ok := s.body[at]; ok {
			r.Body = []byte(body)
		}
		if !s.hidden[at] {
			rows = append(rows, r)
		}
	}
	return rows
}

func (s *shop) letters(ctx context.Context) []penstock.Letter {
	letters, err := s.Letters(ctx, penstock.LetterQuery{Limit: 1 << 20})
	if err != nil {
		panic(err)
	}
	return slices.DeleteFunc(letters, func(l penstock.Letter) bool { return l.State == penstock.LetterReplayed })
}

// Find implements Finder.
func (s *shop) Find(ctx context.Context, stream string, from, to penstock.Positions, yield func(penstock.Place, penstock.Fate, penstock.Checksum)) error {
	s.moment.RLock()
	defer s.moment.RUnlock()
	within := func(p penstock.Partition, at penstock.Position) bool { return !at.Less(from[p]) && at.Less(to[p]) }
	sums := checksum.NewHasher(cluster()).Stream(penstock.DefaultTenant, stream)
	for _, r := range s.rows() {
		if r.Stream == stream && within(r.Partition, r.Position) {
			yield(penstock.Place{Partition: r.Partition, Position: r.Position}, penstock.FateStored, sums.Sum(r.Key, r.ID, r.Body))
		}
	}
	for _, l := range s.letters(ctx) {
		if l.Stream == stream && within(l.Partition, l.Position) {
			yield(penstock.Place{Partition: l.Partition, Position: l.Position}, penstock.FateDead, sums.Sum([]byte(l.Key), []byte(l.ID), []byte(l.Body)))
		}
	}
	if s.failing != nil {
		return s.failing("find")
	}
	return nil
}

// Repeats implements Finder.
func (s *shop) Repeats(ctx context.Context, stream string, records []penstock.Record) ([]bool, error) {
	s.moment.RLock()
	defer s.moment.RUnlock()
	s.asked = append(s.asked, records...)
	answers := make([]bool, len(records))
	for i, r := range records {
		earlier := func(key, id string, p penstock.Partition, at penstock.Position) bool {
			return key == string(r.Key) && id == string(r.ID) && p == r.Partition && at.Less(r.Position)
		}
		for _, have := range s.rows() {
			answers[i] = answers[i] || have.Stream == stream && earlier(string(have.Key), string(have.ID), have.Partition, have.Position)
		}
		for _, l := range s.letters(ctx) {
			answers[i] = answers[i] || l.Stream == stream && earlier(l.Key, l.ID, l.Partition, l.Position)
		}
	}
	return answers, nil
}

// rig is a log, a store and their audit.
type rig struct {
	t           *testing.T
	log         journal
	store       *shop
	audit       *Audit
	hasher      checksum.Hasher
	partitioner penstock.Partitioner
}

func newRig(t *testing.T, streams ...penstock.Stream) *rig {
	return newRigWith(t, memory.Options{}, Limits{}, streams...)
}

func newRigWith(t *testing.T, o memory.Options, l Limits, streams ...penstock.Stream) *rig {
	t.Helper()
	return newRigOn(t, newJournal(o), l, streams...)
}

// newRigOn returns a rig that closes the log.
func newRigOn(t *testing.T, log journal, l Limits, streams ...penstock.Stream) *rig {
	t.Helper()
	c := cluster()
	r := &rig{
		t: t, log: log, hasher: checksum.NewHasher(c), partitioner: penstock.NewPartitioner(c),
		store: &shop{Store: store.Open(store.Options{Cluster: c, Partitions: penstock.All(c.Partitions), Streams: streams})},
	}
	r.audit = New(Options{Log: r.log, Reader: r.log, Store: r.store, Hasher: r.hasher, Finder: r.store, Limits: l})
	t.Cleanup(func() {
		r.audit.Close()
		_ = r.store.Close()
		_ = r.log.Close()
	})
	return r
}

// event returns an event with a body that names it.
func event(id, key string) penstock.Event {
	return penstock.Event{ID: []byte(id), Key: []byte(key), Time: 1e15, Body: fmt.Appendf(nil, `{"id":%q,"key":%q}`, id, key)}
}

// events returns n events, numbered from first on, of several keys.
func events(first, n int) []penstock.Event {
	var all []penstock.Event
	for i := first; i < first+n; i++ {
		all = append(all, event(fmt.Sprintf("id%d", i), fmt.Sprintf("k%d", i%7)))
	}
	return all
}

// block makes a block of events, with their checksums where they have none.
func (r *rig) block(stream string, from penstock.Producer, events ...penstock.Event) *penstock.Block {
	sums := r.hasher.Stream(penstock.DefaultTenant, stream)
	builder := penstock.NewBlockBuilder(r.partitioner)
	builder.Reset(penstock.DefaultTenant, stream, 1e15+1, 1<<10)
	builder.Produced(from)
	for _, e := range events {
		if e.Sum == 0 {
			e.Sum = sums.Sum(e.Key, e.ID, e.Body)
		}
		builder.Add(e)
	}
	return builder.Take()
}

// send appends events as one request.
func (r *rig) send(stream string, events ...penstock.Event) *penstock.Block {
	r.t.Helper()
	b := r.block(stream, penstock.Producer{}, events...)
	if err := r.log.Append(r.t.Context(), b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// replay appends another attempt at a dead letter.
func (r *rig) replay(stream string, e penstock.Event, of penstock.Position) {
	e.ReplayOf = of
	r.send(stream, e)
}

// apply applies what the log has, in batches of up to a number of bytes. Blocks go through change first, unless that is nil: a block
// of which it returns nil is lost.
func (r *rig) apply(change func(*penstock.Block) *penstock.Block) {
	r.t.Helper()
	ctx := r.t.Context()
	from, _ := r.store.Safe(ctx)
	_, next, _ := r.log.Bounds(ctx)
	cursor, err := r.log.Open(ctx, from)
	if err != nil {
		r.t.Fatal(err)
	}
	defer cursor.Close()
	for at := from; !at.Reached(drawn(next)); {
		b, err := cursor.Next(ctx, 1)
		if err != nil {
			r.t.Fatal(err)
		}
		at = b.Next
		if change != nil {
			var blocks []*penstock.Block
			for _, block := range b.Blocks {
				if block = change(block); block != nil {
					blocks = append(blocks, block)
				}
			}
			b.Blocks = blocks
		}
		if err := r.store.Apply(ctx, b); err != nil {
			r.t.Fatal(err)
		}
	}
}

// drawn returns the positions of the partitions that have records: a cursor comes to no others.
func drawn(ends penstock.Positions) penstock.Positions {
	some := penstock.Positions{}
	for p, at := range ends {
		if at.Offset > 0 {
			some[p] = at
		}
	}
	return some
}

// remake returns a block with other events at the places of the block's own.
func (r *rig) remake(b *penstock.Block, change func(*penstock.Event)) *penstock.Block {
	var all []penstock.Event
	for rec := range b.Records() {
		e := rec.Event
		change(&e)
		all = append(all, e)
	}
	c := r.block(b.Stream, b.Producer, all...)
	c.Epoch, c.LogTime, c.Groups = b.Epoch, b.LogTime, b.Groups
	return c
}

func (r *rig) run(ask Ask) Report {
	r.t.Helper()
	report, err := r.audit.Run(r.t.Context(), ask)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range report.Streams {
		if s.Accepted+s.Excess != s.Stored+s.Duplicates+s.Dead+s.Dropped+s.Expired+s.Pending+s.Missing {
			r.t.Errorf("it does not add up: %s", show(s.Counts))
		}
	}
	return report
}

// expect checks the counts of a report's only stream.
func (r *rig) expect(ask Ask, ok bool, want string) Report {
	r.t.Helper()
	report := r.run(ask)
	if len(report.Streams) != 1 {
		r.t.Fatalf("%d streams", len(report.Streams))
	}
	if got := show(report.Streams[0].Counts); got != want || report.OK != ok {
		r.t.Errorf("got  %t %s\nwant %t %s", report.OK, got, ok, want)
	}
	return report
}

// show writes the counts that are not zero.
func show(c Counts) string {
	text := fmt.Sprintf("accepted %d", c.Accepted)
	for _, n := range []struct {
		name  string
		value int64
	}{
		{"stored", c.Stored}, {"duplicates", c.Duplicates}, {"dead", c.Dead}, {"dropped", c.Dropped}, {"expired", c.Expired},
		{"pending", c.Pending}, {"missing", c.Missing}, {"excess", c.Excess}, {"parked", c.Parked}, {"replaying", c.Replaying},
	} {
		if n.value != 0 {
			text += fmt.Sprintf(", %s %d", n.name, n.value)
		}
	}
	switch {
	case c.ChecksumOK == nil:
		return text + ", not checked"
	case !*c.ChecksumOK:
		return text + ", wrong checksum"
	}
	return text
}

// place returns the place of the record of a block that has an id.
func place(b *penstock.Block, id string) Place {
	for r := range b.Records() {
		if string(r.ID) == id {
			return placeOf(r)
		}
	}
	panic("no record " + id)
}
