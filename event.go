package penstock

// DefaultTenant is the one tenant there is for now. It is part of every event, row and id from the first byte.
const DefaultTenant = "default"

// Event is one fact reported by a sender. It never changes. The byte slices belong to whoever made the event;
// who keeps one longer than the call that handed it over makes a copy.
type Event struct {
	ID   []byte // printable ASCII, 1 to 128 bytes
	Key  []byte // UTF-8, up to 256 bytes; empty: no key, no order promised
	Time Micros // the sender's, never changed; the time of receipt if the sender gave none
	Body []byte // the sender's JSON object, byte for byte

	Flags RecordFlags
}

// RecordFlags says how a record came to be.
type RecordFlags uint8

// ServerID marks an id that the server gave because the sender had none; such ids never repeat.
const ServerID RecordFlags = 1 << 0

// Record is an Event with its place in the log.
type Record struct {
	Event
	Tenant, Stream string
	Partition      Partition
	Position       Position // of the record itself: the next one is at Offset+1 or later
	ReceivedAt     Micros   // the door's clock
	LogTime        Micros   // the log's own: never goes back
}
