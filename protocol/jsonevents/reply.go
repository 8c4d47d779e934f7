package jsonevents

import (
	"net/http"
	"strconv"

	"penstock"
)

// Reply answers 202; 200 for what was only kept in memory or could be queried before the answer; 422, as a problem, if
// no event was accepted.
func (p *Protocol) Reply(r *penstock.Request, o *penstock.Outcome) (status int, contentType string, body []byte) {
	b := make([]byte, 0, 192+len(o.Receipt))
	b = append(b, '{')
	if o.Accepted == 0 && o.RejectedCount > 0 {
		b = appendProblem(b, r, o)
		b = appendCounts(b, o)
		return http.StatusUnprocessableEntity, "application/problem+json", append(b, "}\n"...)
	}
	b = appendCounts(b, o)
	b = appendText(append(b, `,"durability":`...), string(o.Durability))
	status = http.StatusAccepted
	if o.Durability == penstock.DurabilityMemory {
		status = http.StatusOK
		b = append(b, `,"durable":false`...)
	}
	if o.Applied != nil {
		if *o.Applied {
			status = http.StatusOK
		}
		b = strconv.AppendBool(append(b, `,"applied":`...), *o.Applied)
	}
	if o.Receipt != "" {
		b = appendText(append(b, `,"receipt":`...), o.Receipt)
	}
	if r.Single && len(o.IDs) == 1 {
		b = appendText(append(b, `,"id":`...), o.IDs[0])
	}
	if verbose := o.Positions != nil; verbose || !r.Single {
		b = appendIDs(b, o)
	}
	return status, "application/json", append(b, "}\n"...)
}

func appendCounts(b []byte, o *penstock.Outcome) []byte {
	b = strconv.AppendInt(append(b, `"accepted":`...), int64(o.Accepted), 10)
	b = strconv.AppendInt(append(b, `,"rejected_count":`...), int64(o.RejectedCount), 10)
	b = append(b, `,"rejected":[`...)
	for i, r := range o.Rejected {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"index":`...), int64(r.Index), 10)
		b = appendText(append(b, `,"code":`...), r.Code)
		b = appendText(append(b, `,"message":`...), r.Message)
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendIDs adds what verbose=1 asks for.
func appendIDs(b []byte, o *penstock.Outcome) []byte {
	if len(o.IDs) > 0 {
		b = append(b, `,"ids":[`...)
		for i, id := range o.IDs {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, id)
		}
		b = append(b, ']')
	}
	if len(o.Positions) == 0 {
		return b
	}
	b = append(b, `,"positions":[`...)
	for i, p := range o.Positions {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(b, `{"partition":`...), uint64(p.Partition), 10)
		b = strconv.AppendUint(append(b, `,"epoch":`...), uint64(p.Epoch), 10)
		b = strconv.AppendUint(append(b, `,"first":`...), uint64(p.First), 10)
		b = strconv.AppendUint(append(b, `,"next":`...), uint64(p.Next), 10)
		b = append(b, '}')
	}
	return append(b, ']')
}

// appendProblem begins a refusal (RFC 9457): under the item's code if the body was one object, else all_rejected.
func appendProblem(b []byte, r *penstock.Request, o *penstock.Outcome) []byte {
	code, detail := "all_rejected", "no item was accepted"
	if len(o.Rejected) > 0 {
		first := o.Rejected[0]
		detail += "; the first: " + first.Code + ": " + first.Message
		if r.Single {
			code, detail = first.Code, first.Message
		}
	}
	b = appendText(append(b, `"type":`...), "urn:penstock:problem:"+code)
	b = append(b, `,"title":"Unprocessable Entity","status":422`...)
	b = appendText(append(b, `,"code":`...), code)
	b = appendText(append(b, `,"detail":`...), detail)
	return append(b, `,"outcome":"not_stored",`...)
}

// appendText adds a JSON string. Everything that is not plain ASCII is escaped, and so is what HTML could misread.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	if isPlain(s) {
		return append(append(b, s...), '"')
	}
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == '<' || r == '>' || r == '&' || r >= 0x7f && r < 0x10000:
			b = appendEscape(b, r)
		case r >= 0x10000:
			b = appendEscape(b, 0xd800+(r-0x10000)>>10)
			b = appendEscape(b, 0xdc00+(r-0x10000)&0x3ff)
		default:
			b = append(b, byte(r))
		}
	}
	return append(b, '"')
}

// isPlain reports whether a string stands for itself, as receipts and most ids do.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
