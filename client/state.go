package client

import (
	"context"
	"encoding/json"
	"net/url"
	"strconv"

	"penstock"
)

// Lag says how far the stores are behind the log.
type Lag struct {
	Events       int64      `json:"events"`
	Seconds      float64    `json:"seconds"`
	DrainSeconds *float64   `json:"drain_seconds"` // nil: at the present rates never, or not known
	Stores       []StoreLag `json:"stores"`
}

// StoreLag says how far one shard is behind.
type StoreLag struct {
	Store      string         `json:"store"`
	Events     int64          `json:"events"`
	Seconds    float64        `json:"seconds"`
	Partitions []PartitionLag `json:"partitions"`
}

// PartitionLag is the place of a shard in a partition, and the partition's end.
type PartitionLag struct {
	Partition penstock.Partition `json:"partition"`
	Position  penstock.Offset    `json:"position"`
	Next      penstock.Offset    `json:"next"`
}

// Lag asks for the lag of every store.
func (c *Client) Lag(ctx context.Context) (Lag, error) {
	var lag Lag
	return lag, c.get(ctx, "/v1/lag", nil, &lag)
}

// StreamInfo is what the server knows about a stream.
type StreamInfo struct {
	Name       string            `json:"name"`
	IDField    string            `json:"id_field"`
	KeyField   string            `json:"key_field"`
	TimeField  string            `json:"time_field"`
	Columns    []penstock.Column `json:"columns"`
	KeepRows   string            `json:"keep_rows"` // a duration, "" is for ever
	Durability string            `json:"durability"`
	OnPoison   string            `json:"on_poison"`
	Stored     *int64            `json:"stored"` // rows; nil: not known

	DedupWindow string `json:"dedup_window"` // a duration, "" recognises no repeats
	DedupMaxIDs int64  `json:"dedup_max_ids"`
}

// Streams asks for the streams, in the order of their names.
func (c *Client) Streams(ctx context.Context) ([]StreamInfo, error) {
	var answer struct {
		Streams []StreamInfo `json:"streams"`
	}
	err := c.get(ctx, "/v1/streams", nil, &answer)
	return answer.Streams, err
}

// ClusterInfo is the identity of an installation. The partition key is a secret.
type ClusterInfo struct {
	ID           string `json:"id"`
	PartitionKey string `json:"partition_key"`
	Partitions   int    `json:"partitions"`
}

// Cluster asks for the identity; it needs an admin's token.
func (c *Client) Cluster(ctx context.Context) (ClusterInfo, error) {
	var info ClusterInfo
	return info, c.get(ctx, "/v1/cluster", nil, &info)
}

// ReceiptState says what became of the events of a receipt.
type ReceiptState struct {
	Durability penstock.Durability `json:"durability"`
	Applied    bool                `json:"applied"`
	Positions  []struct {
		Partition penstock.Partition `json:"partition"`
		Epoch     penstock.Epoch     `json:"epoch"`
		Next      penstock.Offset    `json:"next"`
		Applied   bool               `json:"applied"`
	} `json:"positions"`
}

// Receipt asks what became of the events of a receipt. It fails with Invalid if the server did not make it.
func (c *Client) Receipt(ctx context.Context, receipt string) (ReceiptState, error) {
	var state ReceiptState
	return state, c.get(ctx, "/v1/receipts/"+url.PathEscape(receipt), nil, &state)
}

// KeyQuery asks for the stored events of one key.
type KeyQuery struct {
	Stream, Key string
	From, To    string // RFC 3339; "" is open
	Newest      bool   // the newest first
	Limit       int    // 0: the server's default
	Cursor      string // of the page before
}

// KeyPage is a part of a key's events, in order.
type KeyPage struct {
	Events []json.RawMessage `json:"events"`
	Cursor string            `json:"cursor"` // of the next page, "" behind the last
}

// KeyEvents asks for a page of one key's events.
func (c *Client) KeyEvents(ctx context.Context, q KeyQuery) (KeyPage, error) {
	params := url.Values{"key": {q.Key}}
	for name, value := range map[string]string{"from": q.From, "to": q.To, "cursor": q.Cursor} {
		if value != "" {
			params.Set(name, value)
		}
	}
	if q.Limit > 0 {
		params.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Newest {
		params.Set("order", "desc")
	}
	var page KeyPage
	return page, c.get(ctx, "/v1/streams/"+url.PathEscape(q.Stream)+"/events", params, &page)
}
