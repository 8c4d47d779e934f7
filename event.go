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

	Flags    RecordFlags
	Sum      Checksum // that the door took, for the audit
	ReplayOf Position // of the dead letter, in the same partition, that this is another attempt at; zero: of none
}

// RecordFlags says how a record came to be.
type RecordFlags uint8

// ServerID marks an id that the server gave because the sender had none; such ids never repeat.
const (
	ServerID RecordFlags = 1 << 0
	replayed RecordFlags = 1 << 1 // the record says of which letter; the builder sets it
)

// Checksum is a hash of an event's stream, key, id and body, keyed by the cluster (internal/checksum). The door takes it before the
// append, and log and store take it again: what comes out otherwise was changed on its way.
type Checksum uint64

// Record is an Event with its place in the log.
type Record struct {
	Event
	Tenant, Stream string
	Partition      Partition
	Position       Position // of the record itself: the next one is at Offset+1 or later
	ReceivedAt     Micros   // the door's clock
	LogTime        Micros   // the log's own: never goes back
	Producer       Producer // of the request
	Item           int      // index within the request
}

// Producer is a sender that numbers its requests, one after the other: a repeat has the number of the first attempt and the
// same items in the same order. The zero Producer is one that does not.
type Producer struct {
	Name string // printable ASCII, 1 to 64 bytes
	Seq  uint64 // from 1 on, without gaps
}

// MaxProducerLen is the longest name of a producer.
const MaxProducerLen Bytes = 64
