package penstock

import "net/url"

// Protocol is one wire format at the door. It turns bytes into events and an outcome into bytes; identity, limits,
// decompression, partitioning, appending and metrics are the door's, written once for all protocols.
// Its methods may be called concurrently.
type Protocol interface {
	// Routes returns the patterns (net/http.ServeMux) it answers; a wildcard {stream} names the stream.
	Routes() []string
	// Accepts checks the headers before the body is read: an error refuses the request, reason unsupported_media_type.
	Accepts(r *Request) error
	// Decode checks the body and calls add for each good event, in order, and reject for each bad item. The event's bytes
	// may alias the body and are valid only during the call. An error refuses the whole request, whatever was added.
	Decode(r *Request, add func(Event), reject func(Rejection)) error
	// Reply returns the answer for an outcome: a status, a content type and a body.
	Reply(r *Request, o *Outcome) (status int, contentType string, body []byte)
}

// Request is what the door hands to a protocol.
type Request struct {
	Stream         *Stream
	Query          url.Values
	ContentType    string // as sent
	FromBrowser    bool   // it carries Origin or Sec-Fetch-Site
	IdempotencyKey string
	ReceivedAt     Micros
	Limits         ItemLimits
	Body           []byte // decompressed

	Single bool // set by Decode: the body was one object, not a batch
}

// ItemLimits bounds what a protocol accepts.
type ItemLimits struct {
	Event Bytes // of one event's body
	Batch int   // items of a request
}

// Rejection refuses one item of a batch.
type Rejection struct {
	Index   int    `json:"index"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Outcome is what became of a request whose body could be read.
type Outcome struct {
	Accepted      int
	RejectedCount int
	Rejected      []Rejection // the first 20
	Durability    Durability
	Receipt       string
	IDs           []string    // of the accepted events, if asked for by verbose=1 or the body was a single object
	Positions     []Placement // if asked for by verbose=1
	Applied       *bool       // if asked for by wait=applied
}

// Placement says which offsets of a partition a request received.
type Placement struct {
	Partition Partition `json:"partition"`
	Epoch     Epoch     `json:"epoch"`
	First     Offset    `json:"first"`
	Next      Offset    `json:"next"`
}
