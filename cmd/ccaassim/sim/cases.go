// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

// caseText is what stands for the text of every message of a case.
const caseText = "…"

// cases writes events as the event hub does.
type cases struct {
	directory *directory
	series    []Series
}

func (e *cases) encode(c *chunk, b *batch, t *Trouble) {
	for n := range b.items {
		i := &b.items[n]
		if !eventHub.takes(i) {
			continue
		}
		at := t.stamp(e.series[i.event.series].Region, b.times[n])
		switch i.event.kind {
		case connectionOpen:
			e.envelope(c, i, at, t, "Case", "CaseCreated", "new", i.event.id)
			e.second(c, i, at, t, "Case", "CaseStatusChanged", "open")
		case connectionClose:
			status := ended(i.event.ending)
			e.envelope(c, i, at, t, "Case", "CaseStatusChanged", status, i.event.id)
			if status == "resolved" { // and then closed, as cases are
				e.second(c, i, at, t, "Case", "CaseStatusChanged", "closed")
			}
		default:
			e.envelope(c, i, at, t, "Message", "MessageCreated", "open", i.event.id)
			e.second(c, i, at, t, "Message", "MessageAddedIntoCase", "open")
		}
	}
}

// ended is the status of a case that has ended.
func ended(e *ending) string {
	switch e.reason {
	case "endpoint":
		return "resolved"
	case "inactivity":
		return "trashed"
	default:
		return "closed"
	}
}

// second follows with another envelope, unless the first was malformed.
func (e *cases) second(c *chunk, i *item, at int64, t *Trouble, object, name, status string) {
	if i.malformed == wellFormed {
		e.envelope(c, i, at, t, object, name, status, i.event.id.other(againID))
	}
}

func (e *cases) envelope(c *chunk, i *item, at int64, t *Trouble, object, name, status string, id identity) {
	start := c.begin()
	c.bytes = e.write(c.bytes, i, at, object, name, status, id)
	c.spoil(start, i, t)
}

func (e *cases) write(to []byte, i *item, at int64, object, name, status string, id identity) []byte {
	to = appendUUID(append(to, `{"eventId":"`...), id.other(envelopeID))
	to = append(append(append(to, `","eventObject":"`...), object...), `","eventType":"`...)
	to = append(append(to, name...), `","createdAt":"`...)
	to = append(appendISO(to, at), `","traceId":"`...)
	to = appendUUID(to, id.other(traceID))
	to = append(to, `","data":{"brand":{"id":1},"channel":{"id":`...)
	to = append(to, quoted(e.series[i.event.series].ChannelType)...)
	to = append(to, `},"case":{"id":"`...)
	to = appendUUID(to, i.event.channel)
	to = append(append(append(to, `","status":"`...), status...), `"},"thread":{"id":"`...)
	to = appendUUID(to, i.event.channel.other(threadID))
	to = append(to, `"}`...)
	if object == "Message" {
		to = e.message(to, i, at)
	}
	return append(to, `}}`...)
}

func (e *cases) message(to []byte, i *item, at int64) []byte {
	to = append(to, `,"message":{"id":"`...)
	to = appendUUID(to, i.event.id)
	to = append(appendISO(append(to, `","createdAt":"`...), at), `","direction":"`...)
	if i.event.kind == messageSend {
		to = append(to, `outbound","authorUser":{"id":"`...)
		to = append(to, e.directory.agents[e.directory.agent(i.event.user)]...)
	} else {
		to = append(to, `inbound","authorEndUserIdentity":{"id":"`...)
		to = appendUUID(to, i.event.channel.other(customerID))
	}
	to = append(append(to, `"},"messageContent":{"type":"TEXT","text":"`...), caseText...)
	return append(append(append(to, `","payload":{"text":{"content":"`...), caseText...), `"}}}}`...)
}
