// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent"
	"github.com/otelcol-ccaas/otelcol-ccaas/wsevent/wslog"
)

// floor is the path written by hand for one platform's frames that are always right: one
// goroutine that reads the socket, decodes, removes duplicates, builds the records of
// batches, measures the fastest event of each stream and counts windows. It has no errors,
// limits, restarts or backpressure. Its CPU time is what the path is compared with.
type floor struct {
	conn   net.Conn
	reader *bufio.Reader
	raw    bool
	sink   *arrivals

	seen     hashSet
	hashes   []uint64 // of events that are not in it yet
	touched  uint64   // keeps the compiler from removing the loads
	channels hashSet
	series   map[string]*floorSeries
	key      []byte

	logs  plog.Logs
	open  []*floorSeries
	size  int
	text  strings.Builder
	wrong int
}

// floorSeries is one set of dimensions: its records of the batch, its clock and its windows.
type floorSeries struct {
	tags    wsevent.Tags
	records plog.LogRecordSlice
	likely  int // records of the last batch
	inBatch bool
	fastest int64
	panes   [64]wsevent.Counts
}

// hashSet is a set of hashes that forgets when it is full around one.
type hashSet []uint64

// add reports whether the hash was in the set.
func (s hashSet) add(hash uint64) bool {
	at := hash & uint64(len(s)-1)
	for range 8 {
		switch s[at] {
		case hash:
			return true
		case 0:
			s[at] = hash
			return false
		}
		at = (at + 1) & uint64(len(s)-1)
	}
	s[at] = hash
	return false
}

// floorCPU returns the CPU time of the floor for an event, in ns.
func floorCPU(b *testing.B, raw bool) float64 {
	b.Helper()
	port := startFlood(b)
	f := &floor{
		raw: raw, sink: &arrivals{}, logs: plog.NewLogs(), series: map[string]*floorSeries{},
		seen: make(hashSet, 1<<21), hashes: make([]uint64, 0, 128), channels: make(hashSet, 1<<16),
	}
	f.connect(b, "127.0.0.1:"+strconv.Itoa(port))
	before := ownCPU(b)
	for range floodEvents {
		text, err := f.frame()
		if err != nil { // not require: it is called for every event
			b.Fatal(err)
		}
		f.event(text)
	}
	f.deliver()
	cpu := float64((ownCPU(b) - before).Nanoseconds()) / floodEvents
	require.NoError(b, f.conn.Close())
	require.Equal(b, int64(floodEvents), f.sink.records.Load())
	require.Zero(b, f.wrong)
	return cpu
}

// connect opens the WebSocket.
func (f *floor) connect(b *testing.B, address string) {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+address+"/oauth/token", strings.NewReader("grant_type=client_credentials"))
	require.NoError(b, err)
	request.SetBasicAuth("a", "b")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	require.NoError(b, err)
	var token struct {
		Token string `json:"access_token"`
	}
	require.NoError(b, json.NewDecoder(response.Body).Decode(&token))
	require.NoError(b, response.Body.Close())

	f.conn, err = net.Dial("tcp", address)
	require.NoError(b, err)
	_, err = fmt.Fprintf(f.conn, "GET /api/v2/analytics/events/realtime HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Sec-WebSocket-Protocol: v2.realtime-events\r\n\r\n", address, token.Token)
	require.NoError(b, err)
	f.reader = bufio.NewReaderSize(f.conn, 64<<10)
	upgraded, err := http.ReadResponse(f.reader, nil)
	require.NoError(b, err)
	require.NoError(b, upgraded.Body.Close())
	require.Equal(b, http.StatusSwitchingProtocols, upgraded.StatusCode)
}

// frame returns the next text frame, which is valid until the next call.
func (f *floor) frame() ([]byte, error) {
	for {
		header, err := f.reader.Peek(2)
		if err != nil {
			return nil, err
		}
		opcode, length, size := header[0]&15, int(header[1]&127), 2
		if length == 126 {
			if header, err = f.reader.Peek(4); err != nil {
				return nil, err
			}
			length, size = int(binary.BigEndian.Uint16(header[2:])), 4
		}
		frame, err := f.reader.Peek(size + length)
		if err != nil {
			return nil, err
		}
		payload := frame[size:]
		_, _ = f.reader.Discard(len(frame)) // it stays in the buffer until the next Peek
		switch opcode {
		case 1:
			return payload, nil
		case 9:
			pong := append([]byte{0x8a, 0x80 | byte(length), 0, 0, 0, 0}, payload...)
			if _, err = f.conn.Write(pong); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("opcode %d: %w", opcode, io.ErrUnexpectedEOF)
		}
	}
}

// floorEvent is a decoded event.
type floorEvent struct {
	kind                        byte
	time, size                  int64
	tenant, region, channelType []byte
	channel, user, id, reason   []byte
	code                        int64
	sized, hasCode, wellFormed  bool
}

// decode decodes a flat object without escapes.
func decode(text []byte) (e floorEvent) {
	for at := 1; at < len(text); at++ { // behind the brace, or a comma
		end := at + 1 + bytes.IndexByte(text[at+1:], '"')
		key := text[at+1 : end]
		at = end + 2 // behind the colon
		var value []byte
		if text[at] == '"' {
			end = at + 1 + bytes.IndexByte(text[at+1:], '"')
			value, at = text[at+1:end], end+1
		} else {
			begin := at
			for text[at] != ',' && text[at] != '}' {
				at++
			}
			value = text[begin:at]
		}
		e.set(key, value)
	}
	return e
}

func (e *floorEvent) set(key, value []byte) {
	switch string(key) {
	case "type":
		switch string(value) {
		case wsevent.ConnectionClose:
			e.kind = 1
		case wsevent.MessageSend:
			e.kind = 2
		case wsevent.MessageReceive:
			e.kind = 3
		}
	case "timestamp":
		e.time, e.wellFormed = integer(value)*1e6, true
	case "channelId":
		e.channel = value
	case "userId":
		e.user = value
	case "id":
		e.id = value
	case "tenantId":
		e.tenant = value
	case "region":
		e.region = value
	case "channelType":
		e.channelType = value
	case "payloadSize":
		e.size, e.sized = integer(value), true
	case "code":
		e.code, e.hasCode = integer(value), true
	case "reason":
		e.reason = value
	}
}

func integer(text []byte) (n int64) {
	for _, digit := range text {
		n = n*10 + int64(digit-'0')
	}
	return n
}

// event takes one event through all steps.
func (f *floor) event(text []byte) {
	now := time.Now()
	e := decode(text)
	if !e.wellFormed {
		f.wrong++
		return
	}
	if f.hashes = append(f.hashes, xxhash.Sum64(e.id)); len(f.hashes) == cap(f.hashes) {
		f.findDuplicates()
	}
	s := f.seriesOf(&e)
	f.record(s, &e, text, now)
	s.fastest = min(s.fastest, now.UnixNano()-e.time)
	s.count(&e)
	f.channels.add(xxhash.Sum64(e.channel))
	if f.size++; f.size == 1000 {
		f.deliver()
	}
}

// findDuplicates looks up many events at once, so that their cache misses overlap. There are no
// duplicates, so none is removed.
func (f *floor) findDuplicates() {
	for _, hash := range f.hashes {
		f.touched ^= f.seen[hash&uint64(len(f.seen)-1)]
	}
	for _, hash := range f.hashes {
		if f.seen.add(hash) {
			f.wrong++
		}
	}
	f.hashes = f.hashes[:0]
}

func (f *floor) seriesOf(e *floorEvent) *floorSeries {
	f.key = append(append(append(append(append(f.key[:0], e.tenant...), 0), e.region...), 0), e.channelType...)
	s := f.series[string(f.key)]
	if s == nil {
		s = &floorSeries{fastest: 1 << 62, tags: wsevent.Tags{TenantID: string(e.tenant), Region: string(e.region), ChannelType: string(e.channelType)}}
		f.series[string(f.key)] = s
	}
	if !s.inBatch {
		resource := f.logs.ResourceLogs().AppendEmpty()
		wslog.PutTags(resource.Resource().Attributes(), s.tags)
		s.records, s.inBatch = resource.ScopeLogs().AppendEmpty().LogRecords(), true
		s.records.EnsureCapacity(s.likely + s.likely/4)
		f.open = append(f.open, s)
	}
	return s
}

var floorNames = [...]string{wsevent.ConnectionOpen, wsevent.ConnectionClose, wsevent.MessageSend, wsevent.MessageReceive}

// record builds the record of an event.
func (f *floor) record(s *floorSeries, e *floorEvent, text []byte, now time.Time) {
	record := s.records.AppendEmpty()
	record.SetEventName(floorNames[e.kind])
	record.SetTimestamp(pcommon.Timestamp(e.time)) //nolint:gosec // of this century
	record.SetObservedTimestamp(pcommon.NewTimestampFromTime(now))
	if f.raw {
		record.Body().SetStr(f.keep(text))
	}
	attributes := record.Attributes()
	if e.kind == 1 {
		attributes.EnsureCapacity(7)
	} else {
		attributes.EnsureCapacity(4)
	}
	attributes.PutStr(wsevent.ChannelID, f.keep(e.channel))
	attributes.PutStr(wsevent.UserID, f.keep(e.user))
	attributes.PutStr(wsevent.EventID, f.keep(e.id))
	if e.sized {
		attributes.PutInt(wsevent.PayloadSize, e.size)
	}
	if e.kind == 1 {
		attributes.PutInt(wsevent.CloseCode, e.code)
		attributes.PutStr(wsevent.CloseReason, f.keep(e.reason))
		attributes.PutBool(wsevent.CloseAbnormal, e.hasCode && e.code != 1000 && e.code != 1001)
	}
}

// keep copies a text into the memory of the batch.
func (f *floor) keep(text []byte) string {
	if f.text.Cap()-f.text.Len() < len(text) {
		f.text = strings.Builder{}
		f.text.Grow(256 << 10)
	}
	begin := f.text.Len()
	f.text.Write(text)
	return f.text.String()[begin:]
}

// count counts an event in its pane.
func (s *floorSeries) count(e *floorEvent) {
	pane := &s.panes[e.time/1e9&63]
	switch e.kind {
	case 0:
		pane.ConnectionsOpened++
	case 1:
		pane.ConnectionsClosed++
	case 2:
		pane.MessagesSent++
		pane.PayloadBytes += e.size
	case 3:
		pane.MessagesReceived++
		pane.PayloadBytes += e.size
	}
}

// deliver passes the batch on.
func (f *floor) deliver() {
	_ = f.sink.ConsumeLogs(context.Background(), f.logs) // it only counts
	f.logs, f.size = plog.NewLogs(), 0
	for _, s := range f.open {
		s.inBatch, s.likely = false, s.records.Len()
	}
	f.open = f.open[:0]
}
