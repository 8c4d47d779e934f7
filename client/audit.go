package client

import (
	"context"
	"net/url"

	"penstock"
)

// AuditQuery says what an audit shall find out.
type AuditQuery struct {
	Partitions bool // shows what each stream has in each partition
	Deep       bool // compares, one by one, all records that the log has with what the stores have
}

// Audit is what became of every event that was accepted.
type Audit struct {
	OK      bool          `json:"ok"`             // nothing is missing, too many or changed, as far as was looked
	Deep    *AuditDeep    `json:"deep,omitempty"` // of a deep check
	Streams []AuditStream `json:"streams"`
}

// Pending returns how many events, and replays, are not settled yet.
func (a Audit) Pending() int64 {
	var n int64
	for _, s := range a.Streams {
		n += s.Pending + s.Replaying
	}
	return n
}

// AuditStream is what became of a stream's events.
type AuditStream struct {
	Tenant string `json:"tenant,omitempty"` // "": the default tenant
	Stream string `json:"stream"`
	AuditCounts
	FirstMissing *AuditPlace `json:"first_missing,omitempty"` // nil: none, or the log does not hold it any more
	FirstChanged *AuditPlace `json:"first_changed,omitempty"`
	FirstDoubled *AuditPlace `json:"first_doubled,omitempty"`
	Partitions   []AuditLane `json:"partitions,omitempty"`
}

// AuditLane is what a stream has in one partition.
type AuditLane struct {
	Partition penstock.Partition `json:"partition"`
	AuditCounts
}

// AuditCounts counts events: Accepted + Excess = Stored + Duplicates + Dead + Dropped + Expired + Pending + Missing.
type AuditCounts struct {
	Accepted   int64 `json:"accepted"`
	Stored     int64 `json:"stored"`
	Duplicates int64 `json:"duplicates"`
	Dead       int64 `json:"dead"`
	Dropped    int64 `json:"dropped"`
	Expired    int64 `json:"expired"`
	Pending    int64 `json:"pending"`
	Missing    int64 `json:"missing"`
	ChecksumOK *bool `json:"checksum_ok"` // nil: too much is pending to read it all, so neither this nor Missing is known
	Excess     int64 `json:"excess"`
	Parked     int64 `json:"parked"`    // of those pending
	Replaying  int64 `json:"replaying"` // replays that are not applied yet; their letters count as dead until then
}

// AuditPlace is where an event lies in the log.
type AuditPlace struct {
	Partition penstock.Partition `json:"partition"`
	Epoch     penstock.Epoch     `json:"epoch"`
	Offset    penstock.Offset    `json:"offset"`
}

// AuditDeep says what a deep check compared.
type AuditDeep struct {
	Complete bool  `json:"complete"` // it came from the log's oldest record to the stores' positions
	Events   int64 `json:"events"`   // compared
	Missing  int64 `json:"missing"`
	Changed  int64 `json:"changed"`
	Doubled  int64 `json:"doubled"`
	Unsure   int64 `json:"unsure"` // not there, perhaps rightly
}

// Audit adds up what became of every event. A deep one may take more than a minute.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (Audit, error) {
	params := url.Values{}
	for name, wished := range map[string]bool{"partitions": q.Partitions, "deep": q.Deep} {
		if wished {
			params.Set(name, "1")
		}
	}
	var audit Audit
	return audit, c.get(ctx, "/v1/audit", params, &audit)
}
