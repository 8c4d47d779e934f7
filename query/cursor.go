package query

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"penstock"
)

// signer makes and reads cursors. A cursor is a version, positions or a row's values, and a MAC over them and the question that they answer,
// keyed by the cluster: one that was changed, made elsewhere, or made for another question is not accepted.
// docs/format/cursor.md has the bytes.
type signer struct{ key []byte }

const (
	cursorVersion = 1
	macSize       = 12
	maxCursor     = 12 << 10 // characters: what the header block of a request has room for
)

func newSigner(c penstock.Cluster) signer {
	sum := sha256.Sum256(append([]byte("penstock cursor\x00"+c.ID+"\x00"), c.Key[:]...))
	return signer{sum[:]}
}

// sign returns the cursor of positions within the answer to a question. Order holds the partitions of at, ascending.
func (s signer) sign(question string, at penstock.Positions, order []penstock.Partition) string {
	raw := make([]byte, 0, 16+8*len(order))
	raw = binary.AppendUvarint(raw, uint64(len(order)))
	next, epoch := penstock.Partition(0), penstock.Epoch(0)
	for _, p := range order {
		position := at[p]
		head := uint64(p-next) << 1
		if position.Epoch != epoch {
			head |= 1
		}
		raw = binary.AppendUvarint(raw, head)
		if position.Epoch != epoch {
			raw = binary.AppendUvarint(raw, uint64(position.Epoch))
		}
		raw = binary.AppendUvarint(raw, uint64(position.Offset))
		next, epoch = p+1, position.Epoch
	}
	return s.seal(question, raw)
}

// open returns the positions of a cursor. It fails with Invalid, reason bad_cursor.
func (s signer) open(question, token string) (penstock.Positions, error) {
	body, err := s.unseal(question, token)
	if err != nil {
		return nil, err
	}
	at, ok := positionsOf(body)
	if !ok {
		return nil, badCursor()
	}
	return at, nil
}

// seal returns the cursor that carries a body within the answer to a question.
func (s signer) seal(question string, body []byte) string {
	raw := append([]byte{cursorVersion, 0}, body...) // no required features
	return base64.RawURLEncoding.EncodeToString(append(raw, s.mac(question, raw)...))
}

// unseal returns what a cursor carries. It fails with Invalid, reason bad_cursor.
func (s signer) unseal(question, token string) ([]byte, error) {
	if len(token) > maxCursor || strings.ContainsAny(token, "\r\n") { // which base64 would skip
		return nil, badCursor()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 2+macSize {
		return nil, badCursor()
	}
	body, mac := raw[:len(raw)-macSize], raw[len(raw)-macSize:]
	if !hmac.Equal(mac, s.mac(question, body)) || body[0] != cursorVersion || body[1] != 0 {
		return nil, badCursor()
	}
	return body[2:], nil
}

func badCursor() error {
	return penstock.Refusef("bad_cursor", "read cursor", "the cursor was not made by this cluster for this query")
}

func (s signer) mac(question string, body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	fmt.Fprintf(h, "%d:%s", len(question), question)
	h.Write(body)
	return h.Sum(nil)[:macSize]
}

// positionsOf reads what sign wrote.
func positionsOf(b []byte) (penstock.Positions, bool) {
	ok := true
	number := func(limit uint64) uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > limit {
			ok = false
			return 0
		}
		b = b[n:]
		return v
	}
	at := penstock.Positions{}
	p, epoch := uint64(0), penstock.Epoch(0)
	for n := number(penstock.MaxPartitions); n > 0 && ok; n-- {
		head := number(2 * penstock.MaxPartitions)
		if head&1 != 0 {
			epoch = penstock.Epoch(number(1<<32 - 1))
		}
		if p += head >> 1; p >= penstock.MaxPartitions {
			return nil, false
		}
		at[penstock.Partition(p)] = penstock.Position{Epoch: epoch, Offset: penstock.Offset(number(1<<63 - 1))}
		p++
	}
	return at, ok && len(b) == 0
}
