package jsonevents

import (
	"bytes"

	"penstock"
	"penstock/internal/jsonscan"
)

// The limits of a request that names none.
const (
	defaultEvent penstock.Bytes = 256 << 10
	defaultBatch                = 5000
)

// sink is where the items of a body go.
type sink struct {
	add    func(penstock.Event)
	reject func(penstock.Rejection)
}

// decoder reads one body. Its scratch memory is used again for the next.
type decoder struct {
	r    *penstock.Request
	plan *plan
	sink
	limits penstock.ItemLimits
	items  int // seen so far

	scanner jsonscan.Scanner
	values  []jsonscan.Value
	key     []byte // a key that was written with escapes
	id      []byte // an id that was given, derived or written with escapes
	ids     idSource
}

func (d *decoder) begin(r *penstock.Request, p *plan, to sink) {
	d.r, d.plan, d.sink, d.limits, d.items = r, p, to, r.Limits, 0
	if d.limits.Event == 0 {
		d.limits.Event = defaultEvent
	}
	if d.limits.Batch == 0 {
		d.limits.Batch = defaultBatch
	}
	if n := p.selector.Len(); cap(d.values) < n {
		d.values = make([]jsonscan.Value, n)
	} else {
		d.values = d.values[:n]
	}
	d.ids.begin(r)
	r.Single = false
}

// end lets go of what belongs to the request.
func (d *decoder) end() {
	clear(d.values)
	d.r, d.plan, d.sink = nil, nil, sink{}
}

const op = "decode body"

// refuse refuses the whole request for a fault that lies at a byte of the body.
func refuse(f *jsonscan.Fault, base int) error {
	return penstock.Refusef(f.Code, op, "%s at byte %d", f.Message, base+f.Offset)
}

func badJSON(at int, why string) error {
	return refuse(&jsonscan.Fault{Code: jsonscan.BadJSON, Offset: at, Message: why}, 0)
}

// document reads one object or one array.
func (d *decoder) document() error {
	body := d.r.Body
	i := skipSpace(body, 0)
	switch {
	case i == len(body):
		return penstock.Refusef("empty_batch", op, "the body is empty")
	case bytes.HasPrefix(body[i:], byteOrderMark):
		return badJSON(i, markText)
	case body[i] == '[':
		return d.array(i + 1)
	}
	n, fault := d.scanner.Scan(body[i:], d.plan.selector, d.values)
	if broken := d.scanner.Broken(); broken != nil {
		return refuse(broken, i)
	}
	if err := d.nothingBehind(i + n); err != nil {
		return err
	}
	if body[i] != '{' {
		return penstock.Refusef("bad_shape", op, "the body is neither an object nor an array of objects")
	}
	r := d.r
	r.Single = true
	item := body[i : i+n : i+n]
	large := penstock.Bytes(n) > d.limits.Event
	if fault != nil && !large && (fault.Code == jsonscan.DuplicateMember || fault.Code == jsonscan.BadUTF8) {
		return refuse(fault, i)
	}
	d.item(item, fault)
	return nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

const markText = "a byte order mark, which JSON does not have,"

// nothingBehind checks that only white space follows the body's value, which ends at i.
func (d *decoder) nothingBehind(i int) error {
	if i = skipSpace(d.r.Body, i); i == len(d.r.Body) {
		return nil
	}
	why := "something behind the value"
	if d.r.Body[i] == '{' {
		why = "a second value (lines of JSON are sent as " + ndjsonType + ", with curl's --data-binary)"
	}
	return badJSON(i, why)
}

// array reads the items of an array from the i-th byte of the body.
func (d *decoder) array(i int) error {
	body := d.r.Body
	if i = skipSpace(body, i); i < len(body) && body[i] == ']' {
		if err := d.nothingBehind(i + 1); err != nil {
			return err
		}
		return penstock.Refusef("empty_batch", op, "the array is empty")
	}
	for {
		if i = skipSpace(body, i); d.items == d.limits.Batch {
			return d.tooMany()
		}
		n, fault := d.scanner.Scan(body[i:], d.plan.selector, d.values)
		if broken := d.scanner.Broken(); broken != nil {
			return refuse(broken, i)
		}
		d.item(body[i:i+n:i+n], fault)
		i = skipSpace(body, i+n)
		switch {
		case i == len(body):
			return badJSON(i, "the array does not end")
		case body[i] == ']':
			return d.nothingBehind(i + 1)
		case body[i] != ',':
			return badJSON(i, "want a comma or the end of the array")
		}
		i++
	}
}

func (d *decoder) tooMany() error {
	return penstock.Refusef("too_many_items", op, "more than %d items", d.limits.Batch)
}

// lines reads NDJSON. Blank lines do not count as items.
func (d *decoder) lines() error {
	for rest := d.r.Body; len(rest) > 0; {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line, rest = rest[:i:i], rest[i+1:]
		} else {
			rest = nil
		}
		line = trim(line)
		if len(line) == 0 {
			continue
		}
		if d.items == d.limits.Batch {
			return d.tooMany()
		}
		d.line(line)
	}
	if d.items == 0 {
		return penstock.Refusef("empty_batch", op, "the body has no lines")
	}
	return nil
}

func trim(line []byte) []byte {
	line = line[skipSpace(line, 0):]
	n := len(line)
	for n > 0 && (line[n-1] == ' ' || line[n-1] == '\r' || line[n-1] == '\t') {
		n--
	}
	return line[:n:n]
}

// line reads a line that is not blank. It looks at no byte of one that is too large.
func (d *decoder) line(line []byte) {
	if penstock.Bytes(len(line)) > d.limits.Event {
		d.item(line, nil)
		return
	}
	n, fault := d.scanner.Scan(line, d.plan.selector, d.values)
	switch {
	case fault == nil && n < len(line):
		fault = &jsonscan.Fault{Code: jsonscan.BadJSON, Offset: n, Message: "something behind the value"}
	case bytes.HasPrefix(line, byteOrderMark):
		fault = &jsonscan.Fault{Code: jsonscan.BadJSON, Message: markText}
	}
	d.item(line, fault)
}
