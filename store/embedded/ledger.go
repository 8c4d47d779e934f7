package embedded

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"

	"penstock"
	"penstock/internal/fate"
)

// What a file keeps beside rows, in the same transactions, and only ever adds to. docs/format/shard.md has the columns.
const (
	batchesTable   tableName = "batches"       // a row for each batch and lane: its ordinal and tally then
	producersTable tableName = "producers"     // a row for each batch, lane and producer: how far that came
	lettersTable   tableName = "letters"       // dead letters as they arose
	settledTable   tableName = "letter_states" // what became of them later
)

// ledgerTables returns the statements that make the tables in a file.
func ledgerTables(f *file) []string {
	const place = "_partition INTEGER, _epoch INTEGER, _offset BIGINT"
	return []string{
		"CREATE TABLE " + f.table(batchesTable) + " (_stream INTEGER, " + place + ", ordinal BIGINT, tally BLOB, carried BOOLEAN)",
		"CREATE TABLE " + f.table(producersTable) + " (_stream INTEGER, _partition INTEGER, producer VARCHAR, seq BIGINT, item INTEGER)",
		"CREATE TABLE " + f.table(lettersTable) + " (_stream INTEGER, " + place + ", id BLOB, key BLOB, time BIGINT, received_at BIGINT, _log_time BIGINT, " +
			"body BLOB, flags INTEGER, _sum BIGINT, _indexed BOOLEAN, reason VARCHAR, detail VARCHAR, state VARCHAR, since BIGINT)",
		"CREATE TABLE " + f.table(settledTable) + " (" + place + ", reason VARCHAR, detail VARCHAR, state VARCHAR, since BIGINT)",
	}
}

// ledger encodes the rows of these tables.
type ledger struct {
	batches, producers, letters, settled sheet
}

func newLedger() *ledger {
	blob := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.Binary, Nullable: true}
	}
	long := func(name string) arrow.Field { return arrowField(name, penstock.Bigint, 0, 0) }
	text := func(name string) arrow.Field { return arrowField(name, penstock.Text, 0, 0) }
	flag := func(name string) arrow.Field { return arrowField(name, penstock.Boolean, 0, 0) }
	stream, partition, epoch := integerField("_stream"), integerField("_partition"), integerField("_epoch")
	fields := func(all ...arrow.Field) []arrow.Field { return all }
	return &ledger{
		batches:   newSheet(batchesTable, 5, fields(stream, partition, epoch, long("_offset"), long("ordinal"), blob("tally"), flag("carried"))),
		producers: newSheet(producersTable, 2, fields(stream, partition, text("producer"), long("seq"), integerField("item"))),
		letters: newSheet(lettersTable, 9, fields(stream, partition, epoch, long("_offset"), blob("id"), blob("key"), long("time"), long("received_at"),
			long("_log_time"), blob("body"), integerField("flags"), long("_sum"), flag("_indexed"), text("reason"), text("detail"), text("state"), long("since"))),
		settled: newSheet(settledTable, 4, fields(partition, epoch, long("_offset"), text("reason"), text("detail"), text("state"), long("since"))),
	}
}

func (l *ledger) sheets() []*sheet {
	return []*sheet{&l.batches, &l.producers, &l.letters, &l.settled}
}

func integerField(name string) arrow.Field {
	return arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Int32}
}

// laneRow is a row of batches.
type laneRow struct {
	stream    int32
	partition penstock.Partition
	next      penstock.Position
	ordinal   int64 // of the lane's next identity
	tally     penstock.Tally
	carried   bool // brought over from the file before
}

func (l *ledger) addLane(r laneRow) {
	c := l.batches.row()
	c[0].int32(r.stream)
	c[1].int32(int32(r.partition))
	c[2].int32(int32(r.next.Epoch))
	c[3].int64(int64(r.next.Offset))
	c[4].int64(r.ordinal)
	c[5].text(encodeTally(r.tally))
	c[6].bool(r.carried)
}

func (l *ledger) addProducer(stream int32, p fate.ProducerLane, m fate.Mark) {
	c := l.producers.row()
	c[0].int32(stream)
	c[1].int32(int32(p.Partition))
	c[2].text([]byte(p.Producer))
	c[3].int64(int64(m.Seq))
	c[4].int32(int32(m.Item))
}

// letterRow is what a row of letters says beside the record.
type letterRow struct {
	state   penstock.LetterState
	why     penstock.Condemned
	indexed bool // the record's identity got an ordinal
	since   penstock.Micros
}

func (l *ledger) addLetter(stream int32, r *penstock.Record, as letterRow) {
	c := l.letters.row()
	c[0].int32(stream)
	c[1].int32(int32(r.Partition))
	c[2].int32(int32(r.Position.Epoch))
	c[3].int64(int64(r.Position.Offset))
	c[4].text(r.ID)
	c[5].text(r.Key)
	c[6].int64(int64(r.Time))
	c[7].int64(int64(r.ReceivedAt))
	c[8].int64(int64(r.LogTime))
	c[9].text(r.Body)
	c[10].int32(int32(r.Flags))
	c[11].int64(int64(r.Sum))
	c[12].bool(as.indexed)
	c[13].text([]byte(as.why.Reason))
	c[14].text(plain(as.why.Detail))
	c[15].text([]byte(as.state))
	c[16].int64(int64(as.since))
}

func (l *ledger) addSettled(at penstock.Place, s penstock.LetterState, why penstock.Condemned, since penstock.Micros) {
	c := l.settled.row()
	c[0].int32(int32(at.Partition))
	c[1].int32(int32(at.Position.Epoch))
	c[2].int64(int64(at.Position.Offset))
	c[3].text([]byte(why.Reason))
	c[4].text(plain(why.Detail))
	c[5].text([]byte(s))
	c[6].int64(int64(since))
}

const tallySize = int(penstock.Fates) * 24

// encodeTally returns events, high and low half of the checksums' sum for each fate.
func encodeTally(t penstock.Tally) []byte {
	b := make([]byte, 0, tallySize)
	for _, one := range t {
		b = binary.LittleEndian.AppendUint64(b, uint64(one.Events))
		b = binary.LittleEndian.AppendUint64(b, one.Hi)
		b = binary.LittleEndian.AppendUint64(b, one.Lo)
	}
	return b
}

func decodeTally(b []byte) (penstock.Tally, error) {
	var t penstock.Tally
	if len(b) != tallySize {
		return t, penstock.Errorf(penstock.Corrupt, "read tally", "%d bytes, want %d", len(b), tallySize)
	}
	for i := range t {
		word := func(n int) uint64 { return binary.LittleEndian.Uint64(b[24*i+8*n:]) }
		t[i] = penstock.Total{Events: int64(word(0)), Hi: word(1), Lo: word(2)}
	}
	return t, nil
}
