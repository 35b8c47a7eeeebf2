// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"math/rand/v2"
)

// directory is who there is in a contact centre, and which topics they have.
type directory struct {
	queues []string // ids
	agents []string
	topics map[string]topic
	names  [topicKinds][][topicForms]string // the reverse
}

// topic is what a Notifications topic is about.
type topic struct {
	kind  topicKind
	place int // of the queue or the agent
	form  topicForm
}

type topicKind uint8

const (
	ofQueue topicKind = iota
	ofAgent
	topicKinds
)

type topicForm uint8

const (
	ofMessages      topicForm = iota // participants with messages
	ofConversations                  // participants with communications, which have messages
	topicForms
)

func newDirectory(queues, agents int, random *rand.Rand) *directory {
	d := &directory{topics: map[string]topic{}}
	ids := func(count int) []string {
		all := make([]string, count)
		for n := range all {
			all[n] = string(appendUUID(nil, newIdentity(random)))
		}
		return all
	}
	d.queues, d.agents = ids(queues), ids(agents)
	for kind, of := range map[topicKind]struct {
		name string
		ids  []string
	}{ofQueue: {"v2.routing.queues.%s.conversations", d.queues}, ofAgent: {"v2.users.%s.conversations", d.agents}} {
		d.names[kind] = make([][topicForms]string, len(of.ids))
		for place, id := range of.ids {
			whole := fmt.Sprintf(of.name, id)
			d.names[kind][place] = [topicForms]string{ofMessages: whole + ".messages", ofConversations: whole}
			for form, name := range d.names[kind][place] {
				d.topics[name] = topic{kind: kind, place: place, form: topicForm(form)}
			}
		}
	}
	return d
}

// queue is the place of the queue that a session waits in.
func (d *directory) queue(channel identity) int { return int(channel.low % uint64(len(d.queues))) }

// agent is the place of the agent who serves a session.
func (d *directory) agent(user uint64) int { return int(user % uint64(len(d.agents))) }

// subscription is the topics of a channel, as they are looked up.
type subscription struct {
	wanted [topicKinds][]uint8 // by place: a bit for each form
}

func (d *directory) subscription(names []string) *subscription {
	s := &subscription{}
	s.wanted[ofQueue], s.wanted[ofAgent] = make([]uint8, len(d.queues)), make([]uint8, len(d.agents))
	for _, name := range names {
		if t, ok := d.topics[name]; ok {
			s.wanted[t.kind][t.place] |= 1 << t.form
		}
	}
	return s
}
