package jsonevents

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"penstock"
	"penstock/internal/jsonscan"
)

// ahead is how far the time of an event may lie in the future of the door's clock.
const ahead penstock.Micros = 24 * 3600 * 1e6

// item hands on an event, or rejects it. The values were scanned from its bytes; fault is what the scan found.
func (d *decoder) item(item []byte, fault *jsonscan.Fault) {
	index := d.items
	d.items++
	if penstock.Bytes(len(item)) > d.limits.Event {
		d.reject(penstock.Rejection{Index: index, Code: "too_large",
			Message: fmt.Sprintf("%d bytes, the limit is %d", len(item), d.limits.Event)})
		return
	}
	if item[0] != '{' && (fault == nil || d.scanner.Broken() == nil) {
		d.reject(penstock.Rejection{Index: index, Code: "bad_shape", Message: "not an object"})
		return
	}
	e := penstock.Event{Body: item}
	first := flaws{fault: fault}
	if fault != nil {
		first.known = fault.Offset
	}
	d.readKey(&e, &first)
	d.readTime(&e, &first)
	d.readID(&e, &first)
	for i, c := range d.plan.columns {
		v := d.values[columnValues+i]
		if _, err := jsonscan.ParseCell(c, v); err != nil {
			first.add("bad_type", v, err.Error())
		}
	}
	if first.fault != nil {
		d.reject(penstock.Rejection{Index: index, Code: first.fault.Code, Message: first.fault.Error()})
		return
	}
	d.add(e)
}

// flaws keeps the first of an item's faults in the order of its bytes.
type flaws struct {
	fault *jsonscan.Fault
	known int // by which byte the fault is known
}

// add adds what is wrong with a value as a whole, which is known by its end: the faults of its own bytes come before.
func (f *flaws) add(code string, v jsonscan.Value, message string) {
	if end := int(v.At) + len(v.Raw); f.fault == nil || end <= f.known {
		f.fault, f.known = &jsonscan.Fault{Code: code, Offset: int(v.At), Message: message}, end
	}
}

// readID reads the id, or gives one.
func (d *decoder) readID(e *penstock.Event, first *flaws) {
	v := d.values[idValue]
	switch {
	case v.Absent():
		if first.fault == nil {
			d.id, e.Flags = d.ids.next(d.id[:0], d.items-1, e.Body)
			e.ID = d.id
		}
		return
	case v.Kind == jsonscan.String:
		e.ID = d.text(v, &d.id)
		if isID(e.ID) {
			return
		}
	case v.Kind == jsonscan.Number:
		if e.ID = integer(v); e.ID != nil {
			return
		}
	}
	first.add("bad_id", v, "id: want 1 to 128 printable ASCII characters or an integer")
}

// isID reports whether an id is printable ASCII of a length that is allowed.
func isID(id []byte) bool {
	if len(id) == 0 || len(id) > int(penstock.MaxIDLen) {
		return false
	}
	// Eight bytes at a time: one below space, above ~ or not ASCII leaves its high bit, and carries come only from such.
	for ; len(id) >= 8; id = id[8:] {
		if w := binary.LittleEndian.Uint64(id); ((w-ones*' ')|w|(w+ones))&highs != 0 {
			return false
		}
	}
	for _, c := range id {
		if c-' ' > '~'-' ' {
			return false
		}
	}
	return true
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

func (d *decoder) readKey(e *penstock.Event, first *flaws) {
	v := d.values[keyValue]
	switch {
	case v.Absent():
		return
	case v.Kind == jsonscan.String:
		// The scanner lets no NUL and nothing but UTF-8 pass.
		if e.Key = d.text(v, &d.key); len(e.Key) <= int(penstock.MaxKeyLen) {
			return
		}
	case v.Kind == jsonscan.Number:
		if e.Key = integer(v); e.Key != nil {
			return
		}
	}
	first.add("bad_key", v, "key: want up to 256 bytes of text or an integer")
}

func (d *decoder) readTime(e *penstock.Event, first *flaws) {
	v := d.values[timeValue]
	if v.Absent() {
		e.Time = d.r.ReceivedAt
		return
	}
	t, err := jsonscan.ParseTime(v)
	switch {
	case err != nil:
		first.add("bad_time", v, "time: "+err.Error())
	case t < 0 || t > d.r.ReceivedAt+ahead:
		first.add("bad_time", v, "time: not between 1970 and 24 hours from now")
	}
	e.Time = t
}

// text returns the text of a string: within the body, or in scratch if it was written with escapes.
func (d *decoder) text(v jsonscan.Value, scratch *[]byte) []byte {
	if bytes.IndexByte(v.Raw, '\\') >= 0 {
		*scratch = jsonscan.Unquote((*scratch)[:0], v.Raw)
		return *scratch
	}
	return v.Raw[1 : len(v.Raw)-1 : len(v.Raw)-1]
}

// integer returns an integer as its shortest decimal text, so that 5 and "5" are the same; nil if v is none.
func integer(v jsonscan.Value) []byte {
	n, ok := jsonscan.Integer(v)
	switch {
	case !ok:
		return nil
	case n == 0:
		return v.Raw[len(v.Raw)-1:] // -0
	}
	return v.Raw
}
