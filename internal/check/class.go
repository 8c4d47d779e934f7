package check

// Property is one of the promises that are judged (P1 to P16), or that the run came to rest at all (P0).
type Property string

// properties are the promises in their order. P12 and P13 are the strict lane's: their histories are not judged yet.
var properties = [...]struct {
	Property
	what string
}{
	{"P0", "liveness: all that was answered can be queried in the end"},
	{"P1", "nothing that was answered is lost"},
	{"P2", "nothing has its effect twice"},
	{"P3", "nothing is there that was not sent"},
	{"P4", "nothing that was refused is there"},
	{"P5", "what is there is what was sent, to the byte"},
	{"P6", "what has no answer is there whole and once, or not at all"},
	{"P7", "the events of a key keep their order"},
	{"P8", "a place of the log never shows two contents"},
	{"P9", "positions never go back"},
	{"P10", "a query with a receipt contains its events"},
	{"P11", "read models and audit are what the rows say"},
	{"P12", "the ledger conserves"},
	{"P13", "codes are unique"},
	{"P14", "refusals have a cause, and say when to come again"},
	{"P15", "memory, disk, files and goroutines stay within limits"},
	{"P16", "dead letters are complete, and only what has to be is one"},
}

// Class is a way in which a promise can be broken.
type Class string

// The classes.
const (
	NotDrained Class = "not_drained" // P0

	Lost            Class = "lost"              // P1: answered, and nowhere
	NotApplied      Class = "not_applied"       // P1: in the log, and neither row nor letter
	LogShort        Class = "log_short"         // P1: the log ends before a receipt
	DroppedUnasked  Class = "dropped_unasked"   // P1: a letter was dropped and nobody asked for it
	StoredTwice     Class = "stored_twice"      // P2
	StoredAndLetter Class = "stored_and_dead"   // P2: a row, and a letter that still waits or was dropped
	LetterTwice     Class = "letter_twice"      // P2: one event is two letters
	ReadTwice       Class = "read_twice"        // P2: an answer shows one event twice
	Phantom         Class = "phantom"           // P3: never sent
	OtherRun        Class = "other_run"         // P3: of a run with another seed
	OtherStream     Class = "other_stream"      // P3: sent to another stream
	RefusedPresent  Class = "refused_present"   // P4
	RefusedAppended Class = "refused_appended"  // P4: in the log more often than there were attempts that were not refused
	Vanished        Class = "vanished"          // P4: an answer showed what is not there in the end
	Corrupt         Class = "corrupt"           // P5
	ColumnsDiffer   Class = "columns_differ"    // P5: id or key are not those of the body
	UnknownTwice    Class = "unknown_twice"     // P6
	UnknownTorn     Class = "unknown_torn"      // P6
	Order           Class = "order"             // P7: answered before the other was sent, and behind it
	BatchOrder      Class = "batch_order"       // P7: within one request
	KeySplit        Class = "key_split"         // P7: one key in two partitions
	NotFirst        Class = "not_first"         // P7: a repeat had the effect, not the first
	Overtook        Class = "overtook"          // P7: a row behind a letter that halts its key
	PlaceDiffers    Class = "place_differs"     // P8: two contents
	PlaceUnknown    Class = "place_unknown"     // P8: the log has no such place
	ReceiptsOverlap Class = "receipts_overlap"  // P8: two answers name the same places
	LogGoesBack     Class = "log_goes_back"     // P9: within the log or a tail
	WatchGoesBack   Class = "watch_goes_back"   // P9
	ReceiptGoesBack Class = "receipt_goes_back" // P9
	ReadMisses      Class = "read_misses"       // P10
	ReceiptShort    Class = "receipt_short"     // P10: an event lies behind its receipt
	ViewMisses      Class = "view_misses"       // P10: an answer with receipts lacks their events
	ViewExceeds     Class = "view_exceeds"      // P11: an answer counts more than was sent by then
	ViewDiffers     Class = "view_differs"      // P11: an exact figure is another
	ViewOff         Class = "view_off"          // P11: an estimate is off by more than it may be
	ViewLacks       Class = "view_lacks"        // P11: rows have no group
	ViewStray       Class = "view_stray"        // P11: a group has no rows
	ViewTwice       Class = "view_twice"        // P11: an answer has a group twice
	AuditUnbalanced Class = "audit_unbalanced"  // P11
	AuditDiffers    Class = "audit_differs"     // P11
	AuditChecksum   Class = "audit_checksum"    // P11
	Unexplained     Class = "unexplained"       // P14
	NoRetryAfter    Class = "no_retry_after"    // P14
	OverLimit       Class = "over_limit"        // P15
	LetterBare      Class = "letter_bare"       // P16: without a reason or a state
	LetterCorrupt   Class = "letter_corrupt"    // P16
	Swallowed       Class = "swallowed"         // P16: nothing is wrong with the event
	ReplayLost      Class = "replay_lost"       // P16: a letter was replayed and there is no row
	ReplayStray     Class = "replay_stray"      // P16: a row is a replay of no letter of its event
)

// propertyOf says which promise each class breaks.
var propertyOf = map[Class]Property{
	NotDrained: "P0",
	Lost:       "P1", NotApplied: "P1", LogShort: "P1", DroppedUnasked: "P1",
	StoredTwice: "P2", StoredAndLetter: "P2", LetterTwice: "P2", ReadTwice: "P2",
	Phantom: "P3", OtherRun: "P3", OtherStream: "P3",
	RefusedPresent: "P4", RefusedAppended: "P4", Vanished: "P4",
	Corrupt: "P5", ColumnsDiffer: "P5",
	UnknownTwice: "P6", UnknownTorn: "P6",
	Order: "P7", BatchOrder: "P7", KeySplit: "P7", NotFirst: "P7", Overtook: "P7",
	PlaceDiffers: "P8", PlaceUnknown: "P8", ReceiptsOverlap: "P8",
	LogGoesBack: "P9", WatchGoesBack: "P9", ReceiptGoesBack: "P9",
	ReadMisses: "P10", ReceiptShort: "P10", ViewMisses: "P10",
	ViewExceeds: "P11", ViewDiffers: "P11", ViewOff: "P11", ViewLacks: "P11", ViewStray: "P11", ViewTwice: "P11",
	AuditUnbalanced: "P11", AuditDiffers: "P11", AuditChecksum: "P11",
	Unexplained: "P14", NoRetryAfter: "P14",
	OverLimit:  "P15",
	LetterBare: "P16", LetterCorrupt: "P16", Swallowed: "P16", ReplayLost: "P16", ReplayStray: "P16",
}
