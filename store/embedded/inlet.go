package embedded

import (
	"github.com/apache/arrow-go/v18/arrow"

	"penstock"
)

// inlet shows DuckDB the rows of a sheet as records of Arrow (array.RecordReader), once. While it is open they are still coming: Next waits for them.
type inlet struct {
	sheet  *sheet
	record arrow.RecordBatch
	at     int // chunks that were read

	coming chan chunk    // full ones; nil: all are there
	gone   chan struct{} // nobody reads any more
	err    error         // why no more came, before coming is closed
	broke  error         // why Next could not go on
}

func newInlet(s *sheet) *inlet { return &inlet{sheet: s} }

// open lets Next wait for the sheet's chunks, until end.
func (in *inlet) open() {
	in.coming, in.gone = make(chan chunk, 64), make(chan struct{})
	in.sheet.hand = func(c chunk) {
		select {
		case in.coming <- c:
		case <-in.gone:
		}
	}
}

// end says that no more rows come, or why. It is called by whoever fills the sheet.
func (in *inlet) end(err error) {
	if in.sheet.used > 0 && err == nil {
		in.sheet.hand(in.sheet.chunks[in.sheet.used-1])
	}
	in.sheet.hand = nil
	in.err = err
	close(in.coming)
}

// abandon lets whoever fills the sheet go on though nobody reads. It is called by whoever reads.
func (in *inlet) abandon() { close(in.gone) }

// Next implements array.RecordReader.
func (in *inlet) Next() bool {
	in.Release()
	return in.broke == nil && in.next()
}

// next takes the next chunk. A panic in a call of DuckDB's would leave its locks behind: it ends the rows, and fails the statement.
func (in *inlet) next() (more bool) {
	defer func() {
		if value := recover(); value != nil {
			more, in.broke = false, penstock.Errorf(penstock.Internal, "hand over rows of "+string(in.sheet.table), "panic: %v", value)
		}
	}()
	c := in.take()
	if c == nil {
		return false
	}
	in.record = c.record(in.sheet.schema)
	return true
}

// take returns the next chunk, nil after the last one.
func (in *inlet) take() chunk {
	if in.coming != nil {
		return <-in.coming
	}
	if in.at == in.sheet.used {
		return nil
	}
	in.at++
	return in.sheet.chunks[in.at-1]
}

// Err implements array.RecordReader.
func (in *inlet) Err() error {
	if in.broke != nil {
		return in.broke
	}
	return in.err
}

// Schema implements array.RecordReader.
func (in *inlet) Schema() *arrow.Schema { return in.sheet.schema }

// RecordBatch implements array.RecordReader.
func (in *inlet) RecordBatch() arrow.RecordBatch { return in.record }

// Record implements array.RecordReader.
func (in *inlet) Record() arrow.RecordBatch { return in.record }

// Retain implements array.RecordReader: the inlet lives as long as the shard's transaction.
func (in *inlet) Retain() {}

// Release implements array.RecordReader.
func (in *inlet) Release() {
	if in.record != nil {
		in.record.Release()
		in.record = nil
	}
}
