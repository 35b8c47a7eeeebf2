// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package reconcile compares the channels that the received events say are open with what
// the platform says: in the snapshots of conversations, in an answer about who is
// open, and in its history. From the differences it reconstructs opens and closes. It is
// pure: no pdata, no goroutine, and time is an argument. Its state is bounded.
//
// An event that was received wins over an answer, and each open and close is emitted once,
// whether it was received, reconstructed, or both.
package reconcile

import (
	"container/list"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ccaas/otelcol-ccaas/receiver/ccaaswsreceiver/internal/jsonevent"
)

// Session is a channel as the platform has it.
type Session struct {
	Channel     string `json:"channel"` // its id in events
	ChannelType string `json:"channel_type,omitempty"`
	User        string `json:"user,omitempty"`
	Tenant      string `json:"tenant,omitempty"` // empty: that of the stream
	Region      string `json:"region,omitempty"` // empty: that of the stream
	// Conversation is what the platform's history names it by; empty: by Channel.
	Conversation string `json:"conversation,omitempty"`
	Participant  string `json:"participant,omitempty"` // of the conversation, where it has any
	Group        Group  `json:"group,omitzero"`
	Start        int64  `json:"start,omitempty"` // unix ns; 0: not known

	Ended  bool   `json:"-"`
	End    int64  `json:"-"` // unix ns; 0: not known
	Reason string `json:"-"` // of its end
}

// Group is a set of channels that the platform counts.
type Group struct {
	Queue string `json:"queue,omitempty"`
	Media string `json:"media,omitempty"`
}

// name is what the history names the channel by.
func (s *Session) name() string {
	if s.Conversation == "" {
		return s.Channel
	}
	return s.Conversation
}

const (
	// closedTTL is how long closed channels are known: longer than an answer takes.
	closedTTL = 3 * time.Hour
	// reopenGrace is how long after a close a message is an echo of it, ns.
	reopenGrace = int64(2 * time.Second)
	// sameOpen is by how much the times of one open may differ in events and history, ns.
	sameOpen = int64(5 * time.Second)
)

// Channels are the channels of one receiver. They are not safe for concurrent use.
type Channels struct {
	since int64 // unix ns: what was opened before was not watched
	most  int   // bound of open, and of closed channels

	open    map[string]*channel
	named   map[string][]*channel // open ones, by the name in the history
	closed  map[string]*list.Element
	order   *list.List // of *closedChannel, the latest in front
	forgot  int64      // unix ns: closes up to here may be forgotten
	refused int64      // channels beyond the bound
	changed bool       // since the state was encoded

	restored bool // the state is that of a run before
}

// channel is one that is open.
type channel struct {
	Session
	Seen          int64 `json:"seen"`                    // unix ns, our clock: its latest event or answer
	LastEvent     int64 `json:"last_event,omitempty"`    // unix ns, our clock: its latest event
	Reconstructed bool  `json:"reconstructed,omitempty"` // its open was not received
	Opened        bool  `json:"opened,omitempty"`        // its open was emitted

	answered int64 // unix ns, our clock: the latest answer that has it
}

// closedChannel is one that was closed.
type closedChannel struct {
	ID            string `json:"id"`
	At            int64  `json:"at"`   // unix ns
	Seen          int64  `json:"seen"` // unix ns, our clock
	Reconstructed bool   `json:"reconstructed,omitempty"`
	Opened        bool   `json:"opened,omitempty"` // its open was emitted
}

// New returns the channels of a receiver that starts at a time, of which it knows at most
// a number.
func New(since time.Time, most int) *Channels {
	return &Channels{
		since: since.UnixNano(), most: most, open: map[string]*channel{}, named: map[string][]*channel{},
		closed: map[string]*list.Element{}, order: list.New(),
	}
}

// Watch records when the first connection was up: what was opened before was not watched.
// It has no effect on a restored state.
func (c *Channels) Watch(since time.Time) {
	if !c.restored {
		c.since = max(c.since, since.UnixNano())
	}
}

// Open is the number of channels that are open.
func (c *Channels) Open() int { return len(c.open) }

// Refused is the number of channels beyond the bound, which are not compared.
func (c *Channels) Refused() int64 { return c.refused }

// Take records an event that was received, and returns whether it is to be emitted: not an
// open or a close that was reconstructed before.
func (c *Channels) Take(e *jsonevent.Event, now time.Time) bool {
	if len(e.ChannelID) == 0 || e.Reconstructed {
		return true
	}
	one, open := c.open[string(e.ChannelID)]
	closed := c.closedOf(string(e.ChannelID))
	switch {
	case e.Type == jsonevent.ConnectionClose:
		if !open && closed != nil && closed.Reconstructed {
			return false
		}
		c.close(string(e.ChannelID), e.Time, false, now)
		return true
	case open:
		one.Seen, one.LastEvent = now.UnixNano(), now.UnixNano()
		if e.Type != jsonevent.ConnectionOpen {
			return true
		}
		one.Opened = true
		again := one.Reconstructed && (one.Start == 0 || abs(e.Time-one.Start) <= sameOpen)
		one.Start = e.Time
		return !again
	case closed != nil && e.Type == jsonevent.ConnectionOpen && e.Time <= closed.At:
		again := closed.Opened
		closed.Opened = true
		return !again
	case closed != nil && e.Type != jsonevent.ConnectionOpen && e.Time <= closed.At+reopenGrace:
		return true // an echo
	}
	s := Session{
		Channel: string(e.ChannelID), ChannelType: string(e.ChannelType), User: string(e.UserID),
		Tenant: string(e.TenantID), Region: string(e.Region),
	}
	if e.Type == jsonevent.ConnectionOpen {
		s.Start = e.Time
	}
	if added := c.add(&s, now); added != nil {
		added.LastEvent, added.Opened = added.Seen, e.Type == jsonevent.ConnectionOpen
	}
	return true
}

// Result is what was reconstructed.
type Result struct {
	Opened, Closed, Present int
}

// Add adds another result.
func (r *Result) Add(other Result) {
	r.Opened += other.Opened
	r.Closed += other.Closed
	r.Present += other.Present
}

// Observe compares a session of a snapshot, whose events were taken before: its open or
// close is missing where the tracker takes it for history.
func (c *Channels) Observe(s *Session, now time.Time, to jsonevent.Sink) Result {
	one, open := c.open[s.Channel]
	if open {
		one.LastEvent = now.UnixNano()
	}
	if s.Ended && !open {
		return Result{} // history
	}
	return c.Apply(s, Range{}, now, to)
}

// Apply compares a session of an answer, and emits the open and the close that are
// missing. Of sessions that ended, those of channels that were open here and those of a
// gap are of interest.
func (c *Channels) Apply(s *Session, gap Range, now time.Time, to jsonevent.Sink) (result Result) {
	one, open := c.open[s.Channel]
	closed := c.closedOf(s.Channel)
	switch {
	case !s.Ended && open:
		one.confirm(s, now)
		one.answered = now.UnixNano()
		c.rename(one, s)
		if !one.Opened && c.watched(s, gap) {
			result.Opened = 1
			one.Opened, one.Reconstructed = true, true
			c.emitOpen(s, s.Start, true, to)
		}
	case !s.Ended:
		if closed != nil && (s.Start <= closed.At || s.Start == 0) {
			return result // it is closed by an event that came meanwhile
		}
		return c.reopen(s, now, to)
	case open:
		if s.End == 0 && gap.To != 0 { // not known: in the gap, at the latest
			end := *s
			end.End = max(gap.To, one.Start)
			s = &end
		}
		if s.End != 0 && one.Start != 0 && s.End < one.Start-sameOpen {
			return result // the end of a session before
		}
		if !one.Opened && c.watched(s, gap) {
			result.Opened, one.Opened = 1, true
			c.emitOpen(s, s.Start, true, to)
		}
		result.Closed = 1
		c.emitClose(one, s, now, to)
	case closed != nil && !closed.Opened && c.watched(s, gap) && s.Start < closed.At:
		// It is counted, and opens nothing: the close is already emitted.
		result.Opened, closed.Opened = 1, true
		e := event(jsonevent.ConnectionOpen, s, s.Start)
		e.ChannelID, e.Opened = nil, s.Start
		to.Event(&e)
	case closed != nil || s.End == 0 || s.End <= c.forgot:
		// It is known, or may have been.
	case gap.has(s.End):
		opened := c.watched(s, gap)
		if opened {
			result.Opened = 1
			c.emitOpen(s, s.Start, true, to)
		}
		result.Closed = 1
		c.emitClose(&channel{Session: *s, Opened: opened}, s, now, to)
	}
	return result
}

// watched reports whether a session was opened in a gap, while its stream was watched.
func (c *Channels) watched(s *Session, gap Range) bool { return gap.has(s.Start) && s.Start > c.since }

// reopen adds a channel whose open was not received.
func (c *Channels) reopen(s *Session, now time.Time, to jsonevent.Sink) (result Result) {
	one := c.add(s, now)
	if one == nil {
		return result
	}
	one.Reconstructed, one.Opened = true, true
	if s.Start > c.since {
		result.Opened = 1
		c.emitOpen(s, s.Start, true, to)
		return result
	}
	result.Present = 1
	c.emitOpen(s, now.UnixNano(), false, to)
	return result
}

// Drop closes a channel that the platform does not know, at a time, or when it was opened
// where that is later.
func (c *Channels) Drop(id string, at, now time.Time, to jsonevent.Sink) (result Result) {
	if one, open := c.open[id]; open {
		result.Closed = 1
		c.emitClose(one, &Session{Channel: id, End: max(at.UnixNano(), one.Start)}, now, to)
	}
	return result
}

// Lists reports whether an answer, which was asked for at a time and claims to list all
// open channels, has most of those that had an event since another time. One that does not
// lists other channels than events have, or by other ids: nothing follows from what is not
// in it.
func (c *Channels) Lists(asked, since time.Time) bool {
	listed, missing := 0, 0
	for _, one := range c.open {
		before := one.LastEvent < asked.UnixNano() || one.Start != 0 && one.Start < asked.UnixNano()
		switch {
		case one.answered >= asked.UnixNano():
			listed++
		case one.LastEvent >= since.UnixNano() && before:
			missing++
		}
	}
	return missing <= listed
}

// emitOpen emits an open at its own time, or that a channel is open now.
func (*Channels) emitOpen(s *Session, at int64, own bool, to jsonevent.Sink) {
	e := event(jsonevent.ConnectionOpen, s, at)
	e.Opened = s.Start
	if !own { // since when is not a time of ours
		e.Clock = jsonevent.ReceiverClock
	}
	to.Event(&e)
}

func (c *Channels) emitClose(one *channel, s *Session, now time.Time, to jsonevent.Sink) {
	at := s.End
	if at == 0 {
		at = now.UnixNano()
	}
	identity := one.Session
	if identity.ChannelType == "" {
		identity.ChannelType = s.ChannelType
	}
	e := event(jsonevent.ConnectionClose, &identity, at)
	e.CloseReason = []byte(s.Reason)
	to.Event(&e)
	c.close(one.Channel, at, true, now).Opened = one.Opened
}

// event returns a reconstructed event.
func event(kind jsonevent.Type, s *Session, at int64) jsonevent.Event {
	name := "open"
	if kind == jsonevent.ConnectionClose {
		name = "close"
	}
	return jsonevent.Event{
		Type: kind, Time: at, Clock: jsonevent.OtherClock, Reconstructed: true,
		ChannelID: []byte(s.Channel), UserID: []byte(s.User), ChannelType: []byte(s.ChannelType),
		TenantID: []byte(s.Tenant), Region: []byte(s.Region),
		ID: []byte("reconstructed/" + s.Channel + "/" + name + "/" + strconv.FormatInt(at/int64(time.Millisecond), 10)),
	}
}

// add adds an open channel; nil beyond the bound.
func (c *Channels) add(s *Session, now time.Time) *channel {
	if len(c.open) >= c.most {
		c.refused++
		return nil
	}
	c.changed = true
	one := &channel{Session: *s, Seen: now.UnixNano()}
	one.Channel, one.ChannelType = strings.Clone(s.Channel), strings.Clone(s.ChannelType)
	c.open[one.Channel] = one
	c.named[one.name()] = append(c.named[one.name()], one)
	if element, was := c.closed[one.Channel]; was {
		c.order.Remove(element)
		delete(c.closed, one.Channel)
	}
	return one
}

// confirm takes over what an answer or a snapshot says beyond the events.
func (one *channel) confirm(s *Session, now time.Time) {
	one.Seen = now.UnixNano()
	if s.Group != (Group{}) {
		one.Group = s.Group
	}
	if s.Participant != "" {
		one.Participant = s.Participant
	}
	if one.Start == 0 {
		one.Start = s.Start
	}
	if one.User == "" {
		one.User = s.User
	}
}

// rename records the name that the history has for a channel.
func (c *Channels) rename(one *channel, s *Session) {
	if s.name() == one.name() {
		return
	}
	c.changed = true
	c.unname(one)
	one.Conversation = s.Conversation
	c.named[one.name()] = append(c.named[one.name()], one)
}

func (c *Channels) unname(one *channel) {
	rest := slices.DeleteFunc(c.named[one.name()], func(other *channel) bool { return other == one })
	if c.named[one.name()] = rest; len(rest) == 0 {
		delete(c.named, one.name())
	}
}

// close records that a channel is closed.
func (c *Channels) close(id string, at int64, reconstructed bool, now time.Time) *closedChannel {
	c.changed = true
	id = strings.Clone(id)
	opened := false
	if one, open := c.open[id]; open {
		opened = one.Opened
		delete(c.open, id)
		c.unname(one)
	}
	c.expire(now)
	if element, known := c.closed[id]; known {
		c.order.Remove(element)
	}
	one := &closedChannel{ID: id, At: at, Seen: now.UnixNano(), Reconstructed: reconstructed, Opened: opened}
	c.closed[id] = c.order.PushFront(one)
	return one
}

// expire drops the oldest closed channels.
func (c *Channels) expire(now time.Time) {
	for c.order.Len() > 0 {
		oldest := c.order.Back().Value.(*closedChannel) //nolint:forcetypeassert // the list holds nothing else
		if c.order.Len() < c.most && now.UnixNano()-oldest.Seen < int64(closedTTL) {
			return
		}
		c.forgot = max(c.forgot, oldest.At)
		c.order.Remove(c.order.Back())
		delete(c.closed, oldest.ID)
	}
}

func (c *Channels) closedOf(id string) *closedChannel {
	element, ok := c.closed[id]
	if !ok {
		return nil
	}
	return element.Value.(*closedChannel) //nolint:forcetypeassert // the list holds nothing else
}

// Match returns the id of the open channel of a session: the one with the session's own
// id, or the one of its participant and medium.
func (c *Channels) Match(conversation, session, participant, media string) (id string, ok bool) {
	if _, open := c.open[session]; open || c.closedOf(session) != nil {
		return session, true
	}
	for _, one := range c.named[conversation] {
		if one.Channel == participant || one.Participant == participant && one.Group.Media == media {
			return one.Channel, true
		}
	}
	if c.closedOf(participant) != nil {
		return participant, true
	}
	return "", false
}

// Silent returns the names, in the history, of the open channels without an event or an
// answer since a time.
func (c *Channels) Silent(since time.Time) (names []string) {
	for name, all := range c.named {
		if slices.ContainsFunc(all, func(one *channel) bool { return one.Seen < since.UnixNano() }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ChannelsOf returns the ids of the open channels of a name in the history.
func (c *Channels) ChannelsOf(name string) (ids []string) {
	for _, one := range c.named[name] {
		ids = append(ids, one.Channel)
	}
	return ids
}

func abs(n int64) int64 { return max(n, -n) }
