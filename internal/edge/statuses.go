package edge

import (
	"net/http"

	"penstock"
)

// rule says how a code is answered. A code with a text hides the error's own, which may name paths or hosts.
type rule struct {
	status int
	word   string
	text   string
}

var codes = map[penstock.Code]rule{
	penstock.Invalid:     {http.StatusBadRequest, "invalid", ""},
	penstock.NotFound:    {http.StatusNotFound, "not_found", ""},
	penstock.Forbidden:   {http.StatusForbidden, "forbidden", ""},
	penstock.Conflict:    {http.StatusConflict, "conflict", ""},
	penstock.Expired:     {http.StatusGatewayTimeout, "expired", ""},
	penstock.Trimmed:     {http.StatusGone, "trimmed", "the log no longer keeps that position"},
	penstock.Overloaded:  {http.StatusServiceUnavailable, "overloaded", "too much is under way: try again later"},
	penstock.Full:        {http.StatusServiceUnavailable, "log_full", "the log is full: try again when room was made"},
	penstock.Unavailable: {http.StatusServiceUnavailable, "unavailable", "this server cannot do it now: try again later"},
	penstock.Unknown:     {http.StatusServiceUnavailable, "unknown", "it may or may not have been done: repeat it with the same ids"},
	penstock.Stale:       {http.StatusServiceUnavailable, "stale", "the position moved meanwhile: try again"},
	penstock.NotOwner:    {http.StatusServiceUnavailable, "not_owner", "another server holds this partition: try again later"},
	penstock.Corrupt:     {http.StatusInternalServerError, "corrupt", "stored bytes are damaged: an operator has to look at it"},
	penstock.Internal:    {http.StatusInternalServerError, "internal", "the server made a mistake"},
}

// statuses are the reasons whose status is not that of their code. A reason that is missing here is answered by its code.
var statuses = map[string]int{
	"unauthorized":           http.StatusUnauthorized,
	"method_not_allowed":     http.StatusMethodNotAllowed,
	"not_acceptable":         http.StatusNotAcceptable,
	"body_too_slow":          http.StatusRequestTimeout,
	"body_too_large":         http.StatusRequestEntityTooLarge,
	"too_large":              http.StatusRequestEntityTooLarge,
	"too_many_items":         http.StatusRequestEntityTooLarge,
	"uri_too_long":           http.StatusRequestURITooLong,
	"unsupported_media_type": http.StatusUnsupportedMediaType,
	"unsupported_encoding":   http.StatusUnsupportedMediaType,
	"misdirected":            http.StatusMisdirectedRequest,
	"too_many_headers":       http.StatusRequestHeaderFieldsTooLarge,

	"too_many_attempts": http.StatusTooManyRequests,
	"cardinality":       http.StatusTooManyRequests,
	"rate_limited":      http.StatusTooManyRequests,
	"too_many_queries":  http.StatusTooManyRequests,

	"not_visible_yet": http.StatusGatewayTimeout,
	"query_limit":     http.StatusUnprocessableEntity,
	"query_too_large": http.StatusUnprocessableEntity,
	"unknown_stream":  http.StatusNotFound,

	"bad_url":         http.StatusUnprocessableEntity,
	"insufficient":    http.StatusUnprocessableEntity,
	"unknown_account": http.StatusUnprocessableEntity,
	"same_account":    http.StatusUnprocessableEntity,
	"bad_amount":      http.StatusUnprocessableEntity,
	"bad_currency":    http.StatusUnprocessableEntity,
	"overflow":        http.StatusUnprocessableEntity,
	"expired":         http.StatusUnprocessableEntity,
	"unknown_hold":    http.StatusUnprocessableEntity,
	"hold_closed":     http.StatusUnprocessableEntity,
	"cross_shard":     http.StatusUnprocessableEntity,
}
