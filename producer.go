package penstock

import (
	"strconv"
	"strings"
)

// ParseProducer reads NAME/SEQ, as the header Penstock-Producer has it. It fails with Invalid, reason bad_producer, unless the name
// is 1 to 64 printable ASCII characters without a slash and the number is decimal, from 1 to 2⁶⁴-1. The name is a copy.
func ParseProducer(text string) (Producer, error) {
	name, digits, found := strings.Cut(text, "/")
	seq, err := strconv.ParseUint(digits, 10, 64)
	if !found || err != nil || seq == 0 || !isProducerName(name) {
		return Producer{}, Refusef("bad_producer", "read producer",
			"a producer is NAME/SEQ: 1 to %d printable ASCII characters without a slash, and the number of the request, from 1 on", MaxProducerLen)
	}
	return Producer{strings.Clone(name), seq}, nil
}

// String returns what ParseProducer reads.
func (p Producer) String() string { return p.Name + "/" + strconv.FormatUint(p.Seq, 10) }

func isProducerName(name string) bool {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return name != "" && len(name) <= int(MaxProducerLen)
}
