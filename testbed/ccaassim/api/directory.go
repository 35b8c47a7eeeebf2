// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"math/rand/v2"

	"github.com/otelcol-ccaas/otelcol-ccaas/testbed/ccaassim/traffic"
)

// Directory lists the queues and agents of the contact centre, by id.
type Directory struct {
	Queues []string
	Agents []string
}

// NewDirectory makes the ids of queues and agents.
func NewDirectory(queues, agents int, random *rand.Rand) *Directory {
	ids := func(count int) []string {
		all := make([]string, count)
		for n := range all {
			all[n] = string(AppendUUID(nil, traffic.NewID(random)))
		}
		return all
	}
	return &Directory{Queues: ids(queues), Agents: ids(agents)}
}

// QueueIndex is the index of the queue that a session waits in.
func (d *Directory) QueueIndex(channel traffic.ID) int {
	return int(channel.Low % uint64(len(d.Queues)))
}

// AgentIndex is the index of the agent who serves a user.
func (d *Directory) AgentIndex(user uint64) int { return int(user % uint64(len(d.Agents))) }

// Agent is the id of the agent who serves a user.
func (d *Directory) Agent(user uint64) string { return d.Agents[d.AgentIndex(user)] }
