// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package ccaaswsreceiver

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/api"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/metadata"
	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/privacy"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
)

// maxViolationBody bounds the body of a violation record, in bytes.
const maxViolationBody = 4 << 10

// resourceBytes is the approximate size of a resource with its scope, without the names
// of its series.
const resourceBytes = 1 << 10

// recordSettings configure the records.
type recordSettings struct {
	platform        string
	tenant, region  string // of events without one
	encoding        string // of events
	raw             string // of bodies
	userID          string // form of user ids
	userKey         string // of the hash of user ids
	redactor        *privacy.Redactor
	abnormalReasons []string
	version         string // of the scope
	limits          jsonevent.Limits
	payloadSize     string // its source
	maxPayloadSize  int64  // bytes
}

// records converts events into the log records of a batch. The records of one series
// share a resource, and all strings of a batch an arena.
type records struct {
	set     recordSettings
	tenant  []byte // set.tenant
	region  []byte // set.region
	unknown []byte

	reasons  closeReasons
	hasher   *privacy.Hasher
	rejected jsonevent.Violation // of the last event that was rejected

	logs   plog.Logs
	blocks []*block // of the batch
	spare  *blockPool
	count  int // records, and events that are only in blocks
	shared int // approximate size of the resources and blocks, in bytes
	arena  arena
	series seriesTable
	now    pcommon.Timestamp // of arrival
}

func newRecords(set recordSettings) *records {
	if set.tenant == "" {
		set.tenant = wsevent.Unknown
	}
	if set.region == "" {
		set.region = wsevent.Unknown
	}
	r := &records{
		set:     set,
		tenant:  []byte(set.tenant),
		region:  []byte(set.region),
		unknown: []byte(wsevent.Unknown),
		reasons: newCloseReasons(set.abnormalReasons),
		hasher:  privacy.NewHasher(set.userKey),
		spare:   &blockPool{},
	}
	r.series.valid = r.valid
	r.begin()
	return r
}

// begin starts a batch.
func (r *records) begin() {
	r.logs, r.blocks = plog.NewLogs(), nil
	r.count, r.shared = 0, 0
	r.arena.end() // the first record begins it: an idle receiver has none
	r.series.begin()
}

// take returns the batch, and starts the next. The caller has its blocks.
func (r *records) take() plog.Logs {
	logs := r.logs
	r.begin()
	return logs
}

// bytes returns the approximate size of the batch.
func (r *records) bytes() int {
	if r.count == 0 {
		return 0
	}
	return r.arena.used + r.shared
}

// arriving sets the observed time of the records that follow.
func (r *records) arriving(at time.Time) { r.now = pcommon.NewTimestampFromTime(at) }

// place is where an event is in a batch.
type place struct {
	scope *scope // of its record, or else of its block
	event int    // index of its record in the scope, or among the events in blocks of the scope; with both they are equal
	block int    // index of its block in the batch; -1: it is in none
	first bool   // it is the first event of its series
}

// event adds an event to the batch: its record, or to the block of its scope, or both. An
// event with an invalid identifier adds nothing and returns a violation, which is valid until
// the next event.
func (r *records) event(e *jsonevent.Event) (at place, rejected *jsonevent.Violation) {
	if len(e.ChannelID) > r.set.limits.ID || len(e.UserID) > r.set.limits.ID || len(e.ID) > r.set.limits.ID {
		return place{}, r.reject(e)
	}
	s := r.seriesOf(e.TenantID, e.Region, e.ChannelType)
	if s == nil {
		return place{}, r.reject(e)
	}
	switch {
	case r.set.payloadSize == api.SizeOfObject && e.Type.Message():
		e.PayloadSize, e.HasPayloadSize = int64(len(e.Raw)), true
	case r.set.payloadSize == api.SizeOfNone || r.set.payloadSize == api.SizeOfObject:
		e.PayloadSize, e.HasPayloadSize = 0, false
	}
	if e.HasPayloadSize && (e.PayloadSize > r.set.maxPayloadSize || e.PayloadSize < 0) {
		e.PayloadSize, e.HasPayloadSize = 0, false
		e.FieldErrors |= jsonevent.PayloadSizeError
	}
	first := !s.hasEvents
	s.hasEvents = true
	if r.set.encoding == encodingRecords || e.Reconstructed {
		to := s.scope(unnamed(e), e.Clock, false)
		r.record(to, e)
		return place{scope: to, event: to.size - 1, block: -1, first: first}, nil
	}
	at = r.addToBlock(s.scope(unnamed(e), e.Clock, false), e)
	at.first = first
	if r.set.encoding == encodingBoth {
		at.scope = s.scope(unnamed(e), e.Clock, true)
		r.record(at.scope, e)
	} else {
		r.count++
	}
	return at, nil
}

// record adds the record of an event to a scope.
func (r *records) record(to *scope, e *jsonevent.Event) {
	record := r.add(to)
	record.SetEventName(eventName(e.Type))
	record.SetTimestamp(pcommon.Timestamp(e.Time)) //nolint:gosec // the decoder rejects negative times
	switch raw := r.set.raw; {
	case e.Reconstructed: // no object was received
	case raw == rawFull:
		record.Body().SetStr(r.arena.keep(e.Raw))
	case raw == rawRedacted:
		if text, ok := r.set.redactor.Event(e); ok {
			record.Body().SetStr(r.arena.keep(text))
		}
	}
	r.attributes(record.Attributes(), e)
}

// reject returns the violation of an event.
func (r *records) reject(e *jsonevent.Event) *jsonevent.Violation {
	reason, detail := r.set.limits.DimensionsFault(e)
	if reason == "" {
		reason, detail = r.set.limits.IDFault(e)
	}
	r.rejected = jsonevent.Violation{
		Reason: reason, Detail: detail, TenantID: e.TenantID, Region: e.Region, ChannelType: e.ChannelType, Raw: e.Raw,
	}
	return &r.rejected
}

// valid reports whether dimensions may become those of a series.
func (r *records) valid(tenant, region, channelType []byte) bool {
	return r.legible(tenant) != nil && r.legible(region) != nil && r.legible(channelType) != nil
}

// unnamed returns the dimensions that an event does not have.
func unnamed(e *jsonevent.Event) defaulted {
	not := noneDefaulted
	if len(e.TenantID) == 0 {
		not |= tenantDefaulted
	}
	if len(e.Region) == 0 {
		not |= regionDefaulted
	}
	if len(e.ChannelType) == 0 {
		not |= channelTypeDefaulted
	}
	return not
}

func (r *records) attributes(to pcommon.Map, e *jsonevent.Event) {
	closing := e.Type == jsonevent.ConnectionClose
	n := 4
	if closing {
		n += 3
	}
	if e.Reconstructed {
		n += 2
	}
	to.EnsureCapacity(n)
	r.putID(to, wsevent.ChannelID, e.ChannelID)
	r.putID(to, wsevent.UserID, r.userID(e))
	r.putID(to, wsevent.EventID, e.ID)
	if e.HasPayloadSize {
		to.PutInt(wsevent.PayloadSize, e.PayloadSize)
	}
	if e.Reconstructed {
		to.PutBool(wsevent.EventReconstructed, true)
		if e.Opened > 0 {
			to.PutInt(wsevent.ChannelOpened, e.Opened/int64(time.Millisecond))
		}
	}
	if !closing {
		return
	}
	if e.HasCloseCode {
		to.PutInt(wsevent.CloseCode, e.CloseCode)
	}
	abnormal, known := r.reasons.abnormal(e)
	r.putID(to, wsevent.CloseReason, r.closeReason(e))
	if known {
		to.PutBool(wsevent.CloseAbnormal, abnormal)
	}
}

// userID returns the id of the user in the configured form; empty: none.
func (r *records) userID(e *jsonevent.Event) []byte {
	switch {
	case r.set.userID == userPlain:
		return e.UserID
	case r.set.userID == userHash && len(e.UserID) > 0:
		return r.hasher.Hash(e.UserID)
	default:
		return nil
	}
}

// closeReason returns the reason of a close. Free text, which is not a term of the platform,
// is redacted.
func (r *records) closeReason(e *jsonevent.Event) []byte {
	if r.set.raw != rawFull && !r.reasons.has(e.CloseReason) && !r.set.redactor.Word(e.CloseReason) {
		return []byte(privacy.Redacted)
	}
	return e.CloseReason
}

func (r *records) putID(to pcommon.Map, name string, value []byte) {
	if len(value) > 0 {
		to.PutStr(name, r.arena.keep(value))
	}
}

func eventName(t jsonevent.Type) string {
	switch t {
	case jsonevent.ConnectionOpen:
		return wsevent.ConnectionOpen
	case jsonevent.ConnectionClose:
		return wsevent.ConnectionClose
	case jsonevent.MessageSend:
		return wsevent.MessageSend
	default:
		return wsevent.MessageReceive
	}
}

// violation adds the record of a part of a frame that is not a valid event.
func (r *records) violation(v *jsonevent.Violation) {
	record := r.add(r.seriesOf(r.legible(v.TenantID), r.legible(v.Region), r.legible(v.ChannelType)).scope(noneDefaulted, jsonevent.PlatformClock, false))
	record.SetEventName(wsevent.ProtocolViolation)
	record.SetTimestamp(r.now)
	record.Attributes().PutStr(wsevent.ViolationReason, v.Reason)
	r.violationBody(record, v.Raw)
}

// violationBody adds the part as configured. A record without a body has its length and
// hash, which identify equal parts.
func (r *records) violationBody(record plog.LogRecord, piece []byte) {
	original := piece
	ok := r.set.raw == rawFull
	if r.set.raw == rawRedacted {
		piece, ok = r.set.redactor.Any(piece)
	}
	if !ok {
		record.Attributes().PutInt(wsevent.ViolationLength, int64(len(original)))
		hash := sha256.Sum256(original)
		record.Attributes().PutStr(wsevent.ViolationHash, hex.EncodeToString(hash[:]))
		return
	}
	piece = cut(piece, maxViolationBody)
	if utf8.Valid(piece) {
		record.Body().SetStr(r.arena.keep(piece))
	} else {
		record.Body().SetEmptyBytes().FromRaw(piece)
		r.shared += len(piece)
	}
}

// cut shortens a text at the end of a character.
func cut(piece []byte, most int) []byte {
	if len(piece) <= most {
		return piece
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(piece[end]) {
		end--
	}
	return piece[:end]
}

// legible returns a dimension; nil if it is not valid.
func (r *records) legible(value []byte) []byte {
	if r.set.limits.DimensionFault(value) != "" {
		return nil
	}
	return value
}

// stream adds a record about a stream, or about one of its channel types.
func (r *records) stream(name, tenant, region, channelType string, at time.Time) plog.LogRecord {
	record := r.add(r.seriesOf([]byte(tenant), []byte(region), []byte(channelType)).scope(noneDefaulted, jsonevent.PlatformClock, false))
	record.SetEventName(name)
	record.SetTimestamp(pcommon.NewTimestampFromTime(at))
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(at))
	return record
}

// backpressure adds the record of a time in which nothing was read. It is of the
// connection: one record, in the configured stream.
func (r *records) backpressure(blocked time.Duration, at time.Time) {
	record := r.stream(wsevent.StreamBackpressure, r.set.tenant, r.set.region, "", at)
	record.Attributes().PutDouble(wsevent.BackpressureDuration, float64(blocked)/float64(time.Millisecond))
}

// add appends a record to a scope of the batch. It ends the scope's block, so that the next
// event follows the record.
func (r *records) add(to *scope) plog.LogRecord {
	record := r.append(to)
	record.SetObservedTimestamp(r.now)
	to.block = nil
	r.count++
	return record
}

// append appends an empty record to a scope of the batch.
func (r *records) append(to *scope) plog.LogRecord {
	if to.size == 0 {
		r.open(to)
	}
	to.size++
	to.series.size++
	return to.records.AppendEmpty()
}

// open adds a scope to the batch, and the resource of its series unless the batch has
// it.
func (r *records) open(to *scope) {
	if r.logs.ResourceLogs().Len() == 0 {
		r.arena.begin()
	}
	s := to.series
	if s.size == 0 {
		s.number = r.logs.ResourceLogs().Len()
		s.resource = r.resource(s)
		r.shared += resourceBytes + len(s.tenant) + len(s.region) + len(s.channelType)
	}
	to.number = len(s.open)
	s.open = append(s.open, to)
	scope := s.resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Scope().SetVersion(r.set.version)
	if to.unnamed != noneDefaulted {
		to.unnamed.putNames(scope.Scope().Attributes().PutEmptySlice(wsevent.DimensionsDefaulted))
	}
	if to.inBlocks {
		scope.Scope().Attributes().PutBool(wsevent.BlockCounted, true)
	}
	switch to.clock {
	case jsonevent.OtherClock:
		scope.Scope().Attributes().PutStr(wsevent.ClockSource, wsevent.ClockOther)
	case jsonevent.ReceiverClock:
		scope.Scope().Attributes().PutStr(wsevent.ClockSource, wsevent.ClockReceiver)
	}
	to.records = scope.LogRecords()
	to.records.EnsureCapacity(to.likely)
}

// resource adds the resource of a series to the batch.
func (r *records) resource(s *series) plog.ResourceLogs {
	resource := r.logs.ResourceLogs().AppendEmpty()
	attributes := resource.Resource().Attributes()
	attributes.EnsureCapacity(4)
	attributes.PutStr(wsevent.Platform, r.set.platform)
	attributes.PutStr(wsevent.TenantID, s.tenant)
	attributes.PutStr(wsevent.Region, s.region)
	attributes.PutStr(wsevent.ChannelType, s.channelType)
	return resource
}

// putNames appends the names of the dimensions.
func (d defaulted) putNames(to pcommon.Slice) {
	for i, name := range [...]string{wsevent.TenantID, wsevent.Region, wsevent.ChannelType} {
		if d>>i&1 == 1 {
			to.AppendEmpty().SetStr(name)
		}
	}
}

// seriesOf returns the series of three dimensions, of which any may be absent.
func (r *records) seriesOf(tenant, region, channelType []byte) *series {
	return r.series.find(nonEmpty(tenant, r.tenant), nonEmpty(region, r.region), nonEmpty(channelType, r.unknown))
}

func nonEmpty(value, otherwise []byte) []byte {
	if len(value) == 0 {
		return otherwise
	}
	return value
}

const (
	minChunk = 4 << 10 // bytes
	maxChunk = 1 << 20 // bytes
)

// arena allocates the strings of one batch together: one allocation for thousands of ids
// and bodies. Its memory is in use while one record of the batch is.
type arena struct {
	chunk strings.Builder
	used  int // bytes of this batch
}

// begin allocates for a batch of the size of the last one.
func (a *arena) begin() {
	likely := a.used + a.used/8
	a.used = 0
	a.chunk.Reset()
	a.chunk.Grow(min(max(likely, minChunk), maxChunk))
}

// end releases the chunk. The strings in it remain valid.
func (a *arena) end() { a.chunk.Reset() }

// keep returns a copy of text.
func (a *arena) keep(text []byte) string {
	if size := a.chunk.Cap(); size-a.chunk.Len() < len(text) {
		a.chunk.Reset()
		a.chunk.Grow(max(min(2*size, maxChunk), len(text)))
	}
	start := a.chunk.Len()
	a.chunk.Write(text)
	a.used += len(text)
	return a.chunk.String()[start:]
}
