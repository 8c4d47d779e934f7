package edge

import (
	"errors"
	"io"
	"net/http"
	"os"

	"penstock"
)

const opReadBody = "read request"

// ReadBody reads a body of at most limit bytes, as small requests have them, within the server's time for it. Where it does not, the
// connection ends with the answer.
func ReadBody(w http.ResponseWriter, r *http.Request, limit penstock.Bytes) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = penstock.Refusef("body_too_slow", opReadBody, "the body came too slowly")
	case err != nil:
		err = penstock.Refusef("body_cut", opReadBody, "the body ended before it was whole")
	case len(body) > int(limit):
		err = ErrBodyTooLarge
	default:
		return body, nil
	}
	Abandon(w)
	return nil, err
}

// ErrBodyTooLarge refuses a body, also one that only announces its size.
var ErrBodyTooLarge = penstock.Refusef("body_too_large", opReadBody, "the body is larger than allowed")
