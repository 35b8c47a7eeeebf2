// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package jsonevent

import "slices"

// Fields are the paths of an event's fields in its object. A path is made of
// keys with dots between them, and of indices: `data.case.id`,
// `participants[0].id`. After `|json` the path goes on in the object that is
// text in a string: `content|json.Id`. Of several paths with `||` between them the
// first that is given counts. An empty path is a field that the platform does not
// send.
type Fields struct {
	// Type is connection.open, connection.close, message.send or message.receive.
	Type string `mapstructure:"type"`
	// Timestamp is the platform's time, as ParseTimestamp reads it, or an epoch number.
	Timestamp string `mapstructure:"timestamp"`
	// ChannelID names the connection.
	ChannelID string `mapstructure:"channel_id"`
	// UserID names who is at the other end of it.
	UserID string `mapstructure:"user_id"`
	// TenantID is the customer of the platform.
	TenantID string `mapstructure:"tenant_id"`
	// Region is the platform's region.
	Region string `mapstructure:"region"`
	// ChannelType is the kind of conversation: webmessaging, voice, …
	ChannelType string `mapstructure:"channel_type"`
	// PayloadSize is the size of a message, in bytes.
	PayloadSize string `mapstructure:"payload_size"`
	// ID names the event.
	ID string `mapstructure:"id"`
	// CloseCode is the code a connection was closed with (RFC 6455 section 7.4).
	CloseCode string `mapstructure:"close_code"`
	// CloseReason is the reason a connection was closed for.
	CloseReason string `mapstructure:"close_reason"`
	// Text is the text of a message. Only its length is used, as the payload size; an
	// object has the length of its JSON.
	Text string `mapstructure:"text"`
}

// DefaultFields are the fields of the default profile. As long as a field stays
// at its default, its spelling in snake case (`channel_id`) is read as well.
func DefaultFields() Fields {
	return Fields{
		Type:        "type",
		Timestamp:   "timestamp",
		ChannelID:   "channelId",
		UserID:      "userId",
		TenantID:    "tenantId",
		Region:      "region",
		ChannelType: "channelType",
		PayloadSize: "payloadSize",
		ID:          "id",
		CloseCode:   "code",
		CloseReason: "reason",
	}
}

// field is one of Fields.
type field uint8

const (
	noField field = iota
	typeField
	timestampField
	channelIDField
	userIDField
	tenantIDField
	regionField
	channelTypeField
	payloadSizeField
	idField
	closeCodeField
	closeReasonField
	captureField // no field, but what a mapping reads
)

// bit is the field in a set of fields. noField is in none.
func (f field) bit() fieldSet { return fieldSet(1<<f) >> 1 }

// fieldSet is a set of fields.
type fieldSet uint16

// required are the fields that no event is without.
const required = fieldSet(1<<typeField|1<<timestampField|1<<channelIDField) >> 1

// dimensions are the fields that a violation has as well.
const dimensions = fieldSet(1<<tenantIDField|1<<regionField|1<<channelTypeField) >> 1

// optional are the fields that an event can be without: a value that cannot be read
// is dropped alone. The tenant is not one of them, because an event must not be
// counted for another tenant.
const optional = fieldSet(1<<userIDField|1<<regionField|1<<channelTypeField|1<<payloadSizeField|1<<idField|
	1<<closeCodeField|1<<closeReasonField) >> 1

// FieldErrors is the set of optional fields of an event whose values were dropped.
type FieldErrors uint16

// PayloadSizeError is the payload size, which is also dropped where it exceeds the
// largest size that is taken.
const PayloadSizeError = FieldErrors(1<<payloadSizeField) >> 1

// Names returns the fields by their keys in the configuration.
func (e FieldErrors) Names() []string {
	var names []string
	var fields Fields
	for _, s := range fields.settings() {
		if e&FieldErrors(s.field.bit()) != 0 {
			names = append(names, s.key)
		}
	}
	return names
}

// setting is what is configured for a field.
type setting struct {
	field field
	key   string // in the configuration, and the path in snake case where snake is true
	path  string
	snake bool
}

// settings are the fields that events have, in the order in which they are looked for.
func (f *Fields) settings() []setting {
	return []setting{
		{field: typeField, key: "type", path: f.Type},
		{field: timestampField, key: "timestamp", path: f.Timestamp},
		{field: channelIDField, key: "channel_id", path: f.ChannelID, snake: true},
		{field: userIDField, key: "user_id", path: f.UserID, snake: true},
		{field: tenantIDField, key: "tenant_id", path: f.TenantID, snake: true},
		{field: regionField, key: "region", path: f.Region},
		{field: channelTypeField, key: "channel_type", path: f.ChannelType, snake: true},
		{field: payloadSizeField, key: "payload_size", path: f.PayloadSize, snake: true},
		{field: idField, key: "id", path: f.ID},
		{field: closeCodeField, key: "close_code", path: f.CloseCode},
		{field: closeReasonField, key: "close_reason", path: f.CloseReason},
	}
}

// Snake returns the other spellings that are read of some of the paths.
func (f *Fields) Snake(paths []string) []string {
	var other []string
	defaults := DefaultFields()
	standard := defaults.settings()
	for i, s := range f.settings() {
		if s.snake && s.path == standard[i].path && slices.Contains(paths, s.path) {
			other = append(other, s.key)
		}
	}
	return other
}

// text is where in an event the field is, if it is text there.
func (e *Event) text(f field) *[]byte {
	switch f {
	case channelIDField:
		return &e.ChannelID
	case userIDField:
		return &e.UserID
	case tenantIDField:
		return &e.TenantID
	case regionField:
		return &e.Region
	case channelTypeField:
		return &e.ChannelType
	case idField:
		return &e.ID
	case closeReasonField:
		return &e.CloseReason
	default:
		return nil
	}
}
