// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package cache

import "container/list"

// Version identifies the data that a response is valid for: the moment to poll, the number of
// writes before it, and whether the window of that moment was ready.
type Version struct {
	Moment int64 // unix ns
	Writes int64
	Ready  bool
}

// Answer is what a query was answered with.
type Answer struct {
	Status int
	Header map[string][]string
	Body   []byte
}

// overhead is about what an answer takes beside its body and its key.
const overhead = 512

// Answers is an LRU cache of responses, bounded in bytes. It is not safe for concurrent use.
type Answers struct {
	limit  int
	size   int
	byKey  map[string]*list.Element
	recent *list.List // the one used last is in front
}

type entry struct {
	key     string
	version Version
	answer  Answer
}

// NewAnswers keeps up to limit bytes.
func NewAnswers(limit int) *Answers {
	return &Answers{limit: limit, byKey: map[string]*list.Element{}, recent: list.New()}
}

// Get finds an answer that was given in the same version.
func (a *Answers) Get(key string, version Version) (Answer, bool) {
	element, found := a.byKey[key]
	if !found {
		return Answer{}, false
	}
	if e := element.Value.(*entry); e.version != version {
		a.remove(element)
		return Answer{}, false
	}
	a.recent.MoveToFront(element)
	return element.Value.(*entry).answer, true
}

// Put keeps an answer, unless it would take most of the room there is.
func (a *Answers) Put(key string, version Version, answer Answer) {
	if element, found := a.byKey[key]; found {
		a.remove(element)
	}
	e := &entry{key: key, version: version, answer: answer}
	if e.size() > a.limit/2 {
		return
	}
	a.byKey[key] = a.recent.PushFront(e)
	a.size += e.size()
	for a.size > a.limit {
		a.remove(a.recent.Back())
	}
}

// Size is the number of bytes that are kept.
func (a *Answers) Size() int { return a.size }

func (a *Answers) remove(element *list.Element) {
	e := a.recent.Remove(element).(*entry)
	delete(a.byKey, e.key)
	a.size -= e.size()
}

func (e *entry) size() int { return len(e.key) + len(e.answer.Body) + overhead }
