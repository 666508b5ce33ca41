// SPDX-License-Identifier: Apache-2.0
// Inside of the holder: the NICs that it holds, and the connections of agents.
//
//   session:  GREETING --HELLO--> CHOOSING --OPEN--> ATTACHED --CLOSE, end, nonsense--> gone
//
// A NIC outlives its session, and a session that is refused ends when the sentence has been sent.
#ifndef NICDRV_HOLDER_STATE_H
#define NICDRV_HOLDER_STATE_H

#include <sys/types.h>

#include "holder_stream.h"
#include "nicdrv/holder.h"

struct holder_session;

struct holder_nic {
    char device[IF_NAMESIZE]; // "": free
    struct nic *nic;          // NULL: could not be opened again; the next set tries
    struct nic_eswitch_options eswitch;
    bool stale; // the agent has other options by now: the next set opens the NIC anew
    struct holder_session *session; // NULL: nobody is attached
};

enum holder_standing { HOLDER_GREETING, HOLDER_CHOOSING, HOLDER_ATTACHED };

struct holder_session {
    struct holder_stream stream; // fd -1: free
    enum holder_standing standing;
    struct holder_nic *nic; // ATTACHED
    pid_t pid;
    bool ending; // once all is sent
    bool lost;   // LOST is to be sent with this sentence
    struct error loss;
    uint64_t since_ns; // connected
};

struct holder {
    const struct holder_config *config;
    int lock, listener;
    uint64_t deaf_until_ns; // the kernel refused to give a connection
    struct holder_nic nics[HOLDER_NICS_MAX];
    struct holder_session sessions[HOLDER_SESSIONS_MAX];
};

void holder_note(const struct holder *holder, bool detail, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// ---- holder_listen.c
// Makes the socket, and sees to it that nobody else serves it.
int holder_listen(struct holder *holder, struct error *error);
void holder_unlisten(struct holder *holder);
int holder_accept(struct holder *holder, uint64_t now_ns);

// ---- holder_session.c
// Reads, answers, sends: whatever can be done without waiting.
void holder_session_work(struct holder *holder, struct holder_session *session);
void holder_session_refuse(struct holder *holder, struct holder_session *session,
                           const struct error *error);
void holder_session_end(struct holder *holder, struct holder_session *session);

// ---- holder_nics.c
// The NIC of the device, opened where it is not yet held. -EBUSY: another session has it.
int holder_nic_take(struct holder *holder, struct holder_session *session,
                    const struct holder_message *open, struct error *error);
int holder_nic_apply(struct holder *holder, struct holder_nic *nic, const struct rule_set *wanted,
                     struct error *error);
// Looks whether what was applied still stands; if not, the session's next work tells its agent.
void holder_nic_review(struct holder *holder, struct holder_nic *nic);
void holder_nic_drop(struct holder_nic *nic, bool remove);

#endif
