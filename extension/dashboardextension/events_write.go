// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"encoding/json"
	"errors"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"github.com/otelcol-ccaas/otelcol-ccaas/extension/dashboardextension/internal/eventstore"
	"github.com/otelcol-ccaas/otelcol-ccaas/internal/otlpscan"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/eventblock"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// eventLimits bound a request before it is decoded.
var eventLimits = otlpscan.Limits{Messages: 1_000_000, Depth: 64, Attributes: 128}

// maxEventBody is the size in bytes above which a record's body is cut.
const maxEventBody = 64 << 10

// writeEvents stores log records from OTLP over HTTP. Events that cannot be stored are a partial success, which
// senders do not repeat; a request of which nothing is stored for now is answered with 503, which they do.
func (d *dashboard) writeEvents(w http.ResponseWriter, r *http.Request, body []byte) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")) // none is rejected with the others
	request, err := decodeLogs(kind, body)
	if err != nil {
		code := http.StatusBadRequest
		if _, exceeded := errors.AsType[*otlpscan.LimitError](err); exceeded {
			code = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), code)
		return
	}
	batch, tooLarge := eventsOf(request.Logs(), time.Now())
	response := plogotlp.NewExportResponse()
	err = d.events.Append(r.Context(), batch)
	lost, partial := errors.AsType[*eventstore.Lost](err)
	if err != nil && !partial {
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	if partial {
		response.PartialSuccess().SetRejectedLogRecords(int64(lost.Events))
		response.PartialSuccess().SetErrorMessage(lost.Error())
	}
	if len(tooLarge) > 0 {
		d.events.Lose(eventstore.TooLarge, tooLarge...)
		response.PartialSuccess().SetRejectedLogRecords(response.PartialSuccess().RejectedLogRecords() + int64(len(tooLarge)))
		response.PartialSuccess().SetErrorMessage(strings.TrimSpace(response.PartialSuccess().ErrorMessage() + " " +
			strconv.Itoa(len(tooLarge)) + " events are larger than an event may be"))
	}
	marshal := response.MarshalProto
	if kind == "application/json" {
		marshal = response.MarshalJSON
	}
	text, err := marshal()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // a sender that has left sends again, and events that are stored twice are returned once
}

func decodeLogs(kind string, body []byte) (plogotlp.ExportRequest, error) {
	request := plogotlp.NewExportRequest()
	switch kind {
	case "application/x-protobuf":
		if _, err := otlpscan.Protobuf(body, otlpscan.Logs, eventLimits); err != nil {
			return request, err
		}
		return request, request.UnmarshalProto(body)
	case "application/json":
		if _, err := otlpscan.JSON(body, eventLimits); err != nil {
			return request, err
		}
		return request, request.UnmarshalJSON(body)
	}
	return request, errors.New("Content-Type " + strconv.Quote(kind) + " is not accepted; send application/x-protobuf or application/json")
}

// eventsOf encodes all records but the windows, which the metrics hold, and the events of blocks. It returns the times
// of those that are too large.
func eventsOf(logs plog.Logs, now time.Time) (batch *eventstore.Batch, tooLarge []int64) {
	batch = &eventstore.Batch{}
	encoder := eventEncoder{now: now.UnixNano()}
	add := func(record plog.LogRecord) {
		event := encoder.event(record)
		if batch.Add(event) != nil {
			tooLarge = append(tooLarge, event.Time)
		}
	}
	for _, resource := range logs.ResourceLogs().All() {
		encoder.resource(resource.Resource().Attributes())
		records := haveRecords(resource)
		for _, scope := range resource.ScopeLogs().All() {
			encoder.scope = scope.Scope().Attributes()
			for _, record := range scope.LogRecords().All() {
				switch {
				case wslog.IsWindow(record):
				case !wslog.IsBlock(record):
					add(record)
				case !records && !eachOfBlock(record, add):
					add(record) // that it cannot be decoded is worth knowing
				}
			}
		}
		batch.EndGroup() // queues and batchers of senders keep the records of a resource together
	}
	return batch, tooLarge
}

// haveRecords reports whether the events of a resource's blocks are there as records, too, which say more.
func haveRecords(resource plog.ResourceLogs) bool {
	for _, scope := range resource.ScopeLogs().All() {
		if counted, ok := scope.Scope().Attributes().Get(wsevent.BlockCounted); ok && counted.Bool() {
			return true
		}
	}
	return false
}

// blockTypes are the types of the kinds of events in a block.
var blockTypes = map[eventblock.Kind]string{
	eventblock.ConnectionOpen: wsevent.ConnectionOpen, eventblock.ConnectionClose: wsevent.ConnectionClose,
	eventblock.MessageSend: wsevent.MessageSend, eventblock.MessageReceive: wsevent.MessageReceive,
}

// channelHash is the key of an event of a block that has no channel ID: messages have its hash only.
const channelHash = "channel_hash"

// eachOfBlock calls add with a record for each event of a block. It returns false if it is none.
func eachOfBlock(block plog.LogRecord, add func(plog.LogRecord)) bool {
	var reader eventblock.Reader
	if wslog.OpenBlock(block, &reader) != nil {
		return false
	}
	correction := wslog.Correction(block)
	record := plog.NewLogRecord()
	attributes := record.Attributes()
	for event := (eventblock.Event{}); reader.Next(&event); event = (eventblock.Event{}) {
		attributes.Clear()
		record.SetEventName(blockTypes[event.Kind])
		record.SetTimestamp(pcommon.Timestamp(max(0, wslog.CorrectTime(event.Time, correction)))) //nolint:gosec // not negative
		record.SetObservedTimestamp(pcommon.Timestamp(max(0, event.Observed)))                    //nolint:gosec // not negative
		switch {
		case len(event.ChannelID) > 0:
			attributes.PutStr(wsevent.ChannelID, string(event.ChannelID))
		case event.Channel != 0:
			attributes.PutStr(channelHash, strconv.FormatUint(event.Channel, 16))
		}
		if len(event.UserID) > 0 {
			attributes.PutStr(wsevent.UserID, string(event.UserID))
		}
		if event.Sized {
			attributes.PutInt(wsevent.PayloadSize, event.Size)
		}
		if event.HasCode {
			attributes.PutInt(wsevent.CloseCode, event.CloseCode)
		}
		if len(event.CloseReason) > 0 {
			attributes.PutStr(wsevent.CloseReason, string(event.CloseReason))
		}
		if event.Class != eventblock.Unclassified {
			attributes.PutBool(wsevent.CloseAbnormal, event.Class == eventblock.Abnormal)
		}
		add(record)
	}
	return true
}

// eventEncoder makes events of records. Its buffers are used again for each record.
type eventEncoder struct {
	now    int64
	tags   wsevent.Tags
	named  bool // the resource has dimensions
	common pcommon.Map
	scope  pcommon.Map

	encoded eventstore.Event
	json    []byte
	others  []byte // attributes that have no key of their own
}

func (e *eventEncoder) resource(attributes pcommon.Map) {
	e.tags = wslog.TagsOf(attributes)
	_, e.named = attributes.Get(wsevent.TenantID)
	e.common = attributes
}

// keys of attributes in the JSON of an event.
var eventKeys = map[string]string{
	wsevent.ChannelID: "channel_id", wsevent.UserID: "user_id", wsevent.EventID: "event_id", wsevent.PayloadSize: "payload_size",
	wsevent.CloseCode: "close_code", wsevent.CloseReason: "close_reason", wsevent.CloseAbnormal: "abnormal",
	"ccaas.event.reconstructed": "reconstructed",
}

// event encodes a record. The result is valid until the next call.
func (e *eventEncoder) event(record plog.LogRecord) *eventstore.Event {
	event := &e.encoded
	observed := unixNano(record.ObservedTimestamp())
	*event = eventstore.Event{Time: e.timeOf(record), Type: record.EventName(), Observed: observed, Anonymous: true}
	tags := e.tags
	if body := record.Body(); body.Type() == pcommon.ValueTypeMap {
		if !e.named { // alerts have their dimensions in the body
			tags = wslog.TagsOf(body.Map())
		}
		if channel, ok := body.Map().Get("channel_id"); ok {
			event.ChannelID = channel.Str()
		}
	}
	event.Tenant, event.Region, event.ChannelType = tags.TenantID, tags.Region, tags.ChannelType

	j := e.json[:0]
	j = append(j, `{"timestamp":`...)
	j = strconv.AppendInt(j, event.Time/int64(time.Millisecond), 10)
	if observed != 0 {
		j = strconv.AppendInt(append(j, `,"observed_timestamp":`...), observed/int64(time.Millisecond), 10)
	}
	j = appendText(append(j, `,"type":`...), event.Type)
	j = appendText(append(j, `,"tenant_id":`...), event.Tenant)
	j = appendText(append(j, `,"region":`...), event.Region)
	j = appendText(append(j, `,"channel_type":`...), event.ChannelType)
	e.others = e.others[:0]
	for name, value := range record.Attributes().All() {
		key, known := eventKeys[name]
		if !known {
			e.other(name, value)
			continue
		}
		j = appendValue(appendKey(j, key), value)
		switch name {
		case wsevent.ChannelID:
			event.ChannelID = value.AsString()
		case wsevent.EventID:
			event.Anonymous = value.AsString() == ""
		case wsevent.CloseCode:
			event.CloseCode = int(value.Int())
		case wsevent.CloseReason:
			event.CloseReason = value.AsString()
		case wsevent.CloseAbnormal:
			event.Abnormal, event.AbnormalKnown = value.Bool(), value.Type() == pcommon.ValueTypeBool
		}
	}
	for name, value := range e.scope.All() {
		e.other(name, value)
	}
	for name, value := range e.common.All() {
		switch name {
		case wsevent.TenantID, wsevent.Region, wsevent.ChannelType:
		default:
			e.other(name, value)
		}
	}
	if id := record.TraceID(); !id.IsEmpty() {
		j = appendText(append(j, `,"trace_id":`...), id.String())
	}
	if len(e.others) > 0 {
		j = append(append(append(j, `,"attributes":{`...), e.others[1:]...), '}')
	}
	j = appendBody(j, record.Body())
	j = append(j, '}')
	e.json, event.JSON = j, j
	return event
}

func (e *eventEncoder) timeOf(record plog.LogRecord) int64 {
	for _, t := range []pcommon.Timestamp{record.Timestamp(), record.ObservedTimestamp()} {
		if at := unixNano(t); at != 0 {
			return at
		}
	}
	return e.now
}

// unixNano is a time in unix ns; 0 without one, and for one after the year 2262, which no clock shows.
func unixNano(t pcommon.Timestamp) int64 {
	if t > math.MaxInt64 {
		return 0
	}
	return int64(t)
}

func (e *eventEncoder) other(name string, value pcommon.Value) {
	e.others = append(appendText(append(e.others, ','), name), ':')
	e.others = appendValue(e.others, value)
}

func appendBody(to []byte, body pcommon.Value) []byte {
	if body.Type() == pcommon.ValueTypeEmpty {
		return to
	}
	if body.Type() == pcommon.ValueTypeStr && len(body.Str()) > maxEventBody {
		to = append(to, `,"body_truncated":true,"body":`...)
		return appendText(to, body.Str()[:maxEventBody])
	}
	return appendValue(append(to, `,"body":`...), body)
}

func appendKey(to []byte, key string) []byte {
	return append(append(append(to, ',', '"'), key...), '"', ':')
}

// appendValue appends a value as JSON; bytes in base64.
func appendValue(to []byte, value pcommon.Value) []byte {
	switch value.Type() {
	case pcommon.ValueTypeStr:
		return appendText(to, value.Str())
	case pcommon.ValueTypeBool:
		return strconv.AppendBool(to, value.Bool())
	case pcommon.ValueTypeInt:
		return strconv.AppendInt(to, value.Int(), 10)
	case pcommon.ValueTypeEmpty:
		return append(to, "null"...)
	case pcommon.ValueTypeBytes:
		return appendText(to, value.AsString())
	}
	text, err := json.Marshal(value.AsRaw())
	if err != nil { // a number that JSON does not have
		return appendText(to, value.AsString())
	}
	return append(to, text...)
}

// appendText appends a string as JSON. Bytes that are not UTF-8 are replaced.
func appendText(to []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(to, text)
	if err != nil {
		quoted, _ = jsontext.AppendQuote(to, strings.ToValidUTF8(text, "\uFFFD")) // it is valid now
	}
	return quoted
}
