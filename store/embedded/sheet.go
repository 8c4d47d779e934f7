package embedded

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

// sheet collects rows for one table. It is reused from batch to batch.
type sheet struct {
	table  tableName
	bulk   int // the column that holds most of the bytes
	schema *arrow.Schema
	names  string  // of the schema's columns, as SQL writes them
	chunks []chunk // the first used are filled
	used   int
	hand   func(chunk) // gets each chunk as soon as it is full; nil: they wait for reset
}

func newSheet(table tableName, bulk int, fields []arrow.Field) sheet {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = ident(f.Name)
	}
	return sheet{table: table, bulk: bulk, schema: arrow.NewSchema(fields, nil), names: strings.Join(names, ", ")}
}

// row returns the chunk that takes the next row: the caller adds one value to each of its columns.
func (s *sheet) row() chunk {
	if s.used == 0 {
		s.grow()
	} else if last := s.chunks[s.used-1]; last.full(s.bulk) {
		if s.hand != nil {
			s.hand(last)
		}
		s.grow()
	}
	return s.chunks[s.used-1]
}

// rows returns how many rows there are.
func (s *sheet) rows() int64 {
	var n int64
	for _, c := range s.chunks[:s.used] {
		n += int64(c[0].rows)
	}
	return n
}

// grow begins a chunk.
func (s *sheet) grow() {
	if s.used == len(s.chunks) {
		s.chunks = append(s.chunks, newChunk(s.schema))
	} else {
		s.chunks[s.used].reset()
	}
	s.used++
}

// keptBuffers is how much a sheet keeps between batches: a batch of the usual size, encoded.
const keptBuffers = 96 << 20

// reset forgets the rows and keeps their buffers, unless they are out of proportion.
func (s *sheet) reset() {
	s.used = 0
	size := 0
	for i, c := range s.chunks {
		if size += c.size(); size > keptBuffers {
			clear(s.chunks[i:])
			s.chunks = s.chunks[:i]
			break
		}
	}
}
