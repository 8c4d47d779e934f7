package load

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"time"

	"penstock"
)

// Shape is what the events look like.
type Shape struct {
	Size     int    // bytes of an event's JSON object; default 250
	Keys     int    // distinct keys; default 10,000
	Skew     string // uniform, zipf:S, hot:SHARE; default uniform
	Checksum bool   // end each event with "sum", the MD5 of what stands before ,"sum" in hexadecimal
}

// The fields that are set in place, and where they stand.
const (
	head       = `{"id":"c0000-0000000000","key":"k00000000","time":"2006-01-02T15:04:05.000000Z"`
	idAt       = len(`{"id":"`)
	idLen      = len(`c0000-0000000000`)
	keyAt      = idAt + idLen + len(`","key":"`)
	keyLen     = len(`k00000000`)
	timeAt     = keyAt + keyLen + len(`","time":"`)
	timeLayout = "2006-01-02T15:04:05.000000Z"
	sumLead    = `,"sum":"`
	sumLen     = len(sumLead) + 2*md5.Size + len(`"}`)
	maxClients = 10_000
	maxKeys    = 100_000_000
	maxSize    = 1 << 20
	poolBytes  = 2 << 20 // stays in the processor's cache
)

func (s Shape) keys() int {
	if s.Keys == 0 {
		return 10_000
	}
	return s.Keys
}

func (s Shape) size() int {
	if s.Size == 0 {
		return 250
	}
	return s.Size
}

// template holds prepared events, each the same number of bytes and different in its fields.
type template struct {
	events   []byte // whole lines, one behind the other
	line     int    // bytes of one, with its newline
	count    int
	checksum bool
}

func newTemplate(s Shape) (*template, error) {
	least := len(head) + 1
	if s.Checksum {
		least += sumLen
	}
	if size := s.size(); size < least || size > maxSize {
		return nil, penstock.Errorf(penstock.Invalid, "check size", "%d bytes are not within %d to %d", size, least, maxSize)
	}
	if s.keys() < 1 || s.keys() > maxKeys {
		return nil, penstock.Errorf(penstock.Invalid, "check keys", "%d is not within 1 to %d", s.Keys, maxKeys)
	}
	t := &template{line: s.size() + 1, checksum: s.Checksum}
	t.count = max(16, poolBytes/t.line)
	t.events = make([]byte, 0, t.count*t.line)
	random := splitmix(1)
	for range t.count {
		t.events = append(appendEvent(t.events, s, &random), '\n')
	}
	return t, nil
}

var countries = [...]string{"DE", "FR", "US", "IN", "BR", "JP", "NG", "PL", "ES", "GB", "CA", "MX"}

var kinds = [...]string{"view", "click", "cart", "search", "order", "login"}

// appendEvent appends one event of exactly the shape's size: as many of the typed fields as fit, then a note of
// characters that hardly compress.
func appendEvent(dst []byte, s Shape, random *splitmix) []byte {
	begin, size := len(dst), s.size()
	tail := 1
	if s.Checksum {
		tail = sumLen
	}
	dst = append(dst, head...)
	r := random.next()
	for _, field := range []string{
		fmt.Sprintf(`,"kind":"%s"`, kinds[r%6]),
		fmt.Sprintf(`,"country":"%s"`, countries[r>>8%12]),
		fmt.Sprintf(`,"amount":%d`, r>>16%100_000),
		fmt.Sprintf(`,"latency_ms":%d.%03d`, r>>32%500, r>>42%1000),
		fmt.Sprintf(`,"ok":%t`, r>>60 != 0),
	} {
		if len(dst)-begin+len(field)+tail <= size {
			dst = append(dst, field...)
		}
	}
	room := size - tail - (len(dst) - begin)
	if quotes := len(`,"note":""`); room >= quotes {
		dst = append(dst, `,"note":"`...)
		for range room - quotes {
			const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
			dst = append(dst, letters[random.next()>>58])
		}
		dst = append(dst, '"')
	}
	for len(dst)-begin < size-tail {
		dst = append(dst, ' ')
	}
	if s.Checksum {
		dst = append(append(dst, sumLead...), "00000000000000000000000000000000\""...)
	}
	return append(dst, '}')
}

// stamp is what the events of a request have in common.
type stamp struct {
	client [5]byte // c0000
	time   [len(timeLayout)]byte
	second int64
}

func newStamp(client int) stamp {
	var s stamp
	s.client[0] = 'c'
	putDigits(s.client[1:], uint64(client))
	return s
}

// at sets the time, to the microsecond.
func (s *stamp) at(now time.Time) {
	if sec := now.Unix(); sec != s.second {
		s.second = sec
		var scratch [64]byte
		copy(s.time[:], now.UTC().AppendFormat(scratch[:0], timeLayout))
	}
	putDigits(s.time[len("2006-01-02T15:04:05."):len(timeLayout)-1], uint64(now.Nanosecond()/1000))
}

// appendBatch appends n events that begin with the sequence first.
func (t *template) appendBatch(dst []byte, s *stamp, n int, first int64, key func() uint32) []byte {
	at := int(first) % t.count
	for i := range n {
		begin := len(dst)
		dst = append(dst, t.events[at*t.line:(at+1)*t.line]...)
		if at++; at == t.count {
			at = 0
		}
		e := dst[begin:]
		copy(e[idAt:], s.client[:])
		putDigits(e[idAt+6:idAt+idLen], uint64(first)+uint64(i))
		putDigits(e[keyAt+1:keyAt+9], uint64(key()))
		copy(e[timeAt:], s.time[:])
		if t.checksum {
			body := e[:len(e)-1-sumLen]
			sum := md5.Sum(body)
			hex.Encode(e[len(body)+len(sumLead):], sum[:])
		}
	}
	return dst
}

const digitPairs = "00010203040506070809" + "10111213141516171819" + "20212223242526272829" + "30313233343536373839" +
	"40414243444546474849" + "50515253545556575859" + "60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

// putDigits writes v in decimal, with leading zeros; dst has an even length.
func putDigits(dst []byte, v uint64) {
	for i := len(dst) - 2; i >= 0; i -= 2 {
		q := v / 100
		d := (v - q*100) * 2
		dst[i+1], dst[i] = digitPairs[d+1], digitPairs[d]
		v = q
	}
}

// EventID returns the id of a client's event.
func EventID(client int, sequence int64) string { return fmt.Sprintf("c%04d-%010d", client, sequence) }
