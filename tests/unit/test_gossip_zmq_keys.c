// SPDX-License-Identifier: Apache-2.0
#include "gossip_zmq/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zmq.h>
#include <cmocka.h>

#define KEY_A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define KEY_B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define SIGN_A "Lns47E1%kR.o@n%FcmmsL/@{H8]yf7rq:rM>}U?@"
#define SIGN_B "K0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6JTKVSB%%)w"
#define LINE_A KEY_A " " SIGN_A
#define LINE_B KEY_B "\t" SIGN_B

struct bed {
    char directory[32], path[64];
    struct error error;
    struct curve_keys keys;
};

static int setup(void **state) {
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->directory, "/tmp/curve-keys-XXXXXX");
    assert_non_null(mkdtemp(bed->directory));
    snprintf(bed->path, sizeof bed->path, "%s/fleet.keys", bed->directory);
    *state = bed;
    return 0;
}

static int teardown(void **state) {
    struct bed *bed = *state;
    curve_keys_fini(&bed->keys);
    unlink(bed->path);
    rmdir(bed->directory);
    free(bed);
    return 0;
}

static void write_file(const struct bed *bed, const char *text, mode_t mode) {
    int fd = open(bed->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void a_list_names_hosts_keys_and_addresses(void **state) {
    struct bed *bed = *state;
    write_file(bed,
               "# the fleet\n\n  h0 " LINE_A "\ttcp://10.255.0.1:7946 # seed\nh1 " LINE_B
               " # no seed\nh1 " LINE_B,
               0644);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), 0);
    assert_int_equal(bed->keys.count, 3);
    assert_string_equal(bed->keys.keys[0].host, "h0");
    assert_string_equal(bed->keys.keys[0].public_key, KEY_A);
    assert_string_equal(bed->keys.keys[0].sign_key, SIGN_A);
    assert_string_equal(bed->keys.keys[0].address, "tcp://10.255.0.1:7946");
    assert_string_equal(bed->keys.keys[1].host, "h1");
    assert_string_equal(bed->keys.keys[1].public_key, KEY_B);
    assert_string_equal(bed->keys.keys[1].address, "");
    assert_string_equal(bed->keys.keys[1].sign_key, SIGN_B);
}

static void a_line_with_a_star_is_for_all_hosts(void **state) {
    struct bed *bed = *state;
    write_file(bed, "* " LINE_A "\n", 0644);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), 0);
    assert_string_equal(bed->keys.keys[0].host, "*");
}

static void a_hash_inside_a_key_is_no_comment(void **state) {
    struct bed *bed = *state;
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE], line[128];
    do { // two of five keys
        assert_int_equal(curve_keypair(public_key, secret_key), 0);
    } while (strchr(public_key, '#') == NULL);
    snprintf(line, sizeof line, "h0 %s %s\n", public_key, SIGN_A);
    write_file(bed, line, 0600);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), 0);
    assert_string_equal(bed->keys.keys[0].public_key, public_key);
}

static void a_thousand_keys_are_all_kept(void **state) {
    struct bed *bed = *state;
    char *text = calloc(1000, 128), *end = text;
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(curve_keypair(public_key, secret_key), 0);
        end += sprintf(end, "h%d %s %s\n", i, public_key, SIGN_A);
    }
    write_file(bed, text, 0644);
    free(text);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), 0);
    assert_int_equal(bed->keys.count, 1000);
    assert_string_equal(bed->keys.keys[999].host, "h999");
    assert_string_equal(bed->keys.keys[999].public_key, public_key);
}

static void refuses(struct bed *bed, const char *text, const char *reason) {
    write_file(bed, text, 0644);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), -EINVAL);
    if (strstr(bed->error.text, reason) == NULL) {
        fail_msg("expected \"%s\" in \"%s\"", reason, bed->error.text);
    }
    assert_null(bed->keys.keys); // untouched
}

static void a_line_that_is_not_understood_is_named_with_its_number(void **state) {
    struct bed *bed = *state;
    refuses(bed, "h0 " LINE_A "\nh1\n", "fleet.keys:2: h1: needs a host, a public key and");
    refuses(bed, "\nh1 abc " SIGN_A "\n", "fleet.keys:2: h1: not a CURVE key");
    refuses(bed, "h1 " KEY_A "x " SIGN_A "\n", "not a CURVE key");
    refuses(bed, "h1 " KEY_A " abc\n", "h1: not a signing key");
    refuses(bed, "h1 " LINE_A "x\n", "h1: not a signing key");
    refuses(bed, "h1 " LINE_A " tcp://seed.example:1\n", "address is not tcp://");
    refuses(bed, "h1 " LINE_A " tcp://10.0.0.1:1 more\n", "something follows the address");
    refuses(bed, "# nothing but this\n", "holds no key");
    refuses(bed,
            "a-host-name-that-is-much-longer-than-any-name-in-the-fabric-may-be-0123456789 " LINE_A
            "\n",
            "host name too long");
    char *line = calloc(1, 2000);
    memset(line, 'x', 1999);
    refuses(bed, line, "line longer than");
    free(line);
}

static void a_line_without_a_signing_key_says_how_to_make_it_anew(void **state) {
    struct bed *bed = *state;
    refuses(bed, "h0 " KEY_A "\n", "fleet.keys:1: h0: no signing key: make the line anew");
    refuses(bed, "h0 " KEY_A " tcp://10.0.0.1:1\n", "(srv6-ctl keys line)");
    refuses(bed, "* " KEY_A " # shared\n", "fleet.keys:1: *: no signing key");
}

static void a_key_of_two_hosts_is_refused(void **state) {
    struct bed *bed = *state;
    refuses(bed, "h0 " LINE_A "\nh1 " LINE_B "\nh2 " LINE_A "\n", "h0 and h2 have the same key");
    refuses(bed, "* " LINE_A "\nh1 " LINE_A "\n", "have the same key");
}

static void the_signing_key_follows_from_the_secret_alone(void **state) {
    (void)state;
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    char once[CURVE_KEY_TEXT_SIZE], again[CURVE_KEY_TEXT_SIZE], other[CURVE_KEY_TEXT_SIZE];
    assert_int_equal(curve_sign_key(KEY_A, once), 0);
    assert_int_equal(curve_sign_key(KEY_A, again), 0);
    assert_string_equal(once, again);
    // Fleets hold this key in their files: another derivation would be another format.
    assert_string_equal(once, "}TF!LN[h}s@]v(&7)-Y-GkX[ehnD+r98/Y804}uN");
    assert_int_equal(curve_keypair(public_key, secret_key), 0);
    assert_int_equal(curve_sign_key(secret_key, other), 0);
    assert_string_not_equal(once, other);
    assert_string_not_equal(other, public_key);
    assert_int_equal(curve_sign_key("short", other), -EINVAL);
}

static void the_core_gets_all_signing_keys_by_host_and_its_own_pair(void **state) {
    struct bed *bed = *state;
    struct gossip_signing *signing = NULL;
    char sign_key[CURVE_KEY_TEXT_SIZE], text[CURVE_KEY_TEXT_SIZE];
    write_file(bed, "h2 " LINE_A "\n* " LINE_B "\n", 0644);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), 0);
    assert_int_equal(curve_signing_open(&bed->keys, KEY_A, &signing, &bed->error), 0);
    assert_int_equal(signing->key_count, 2);
    assert_string_equal(signing->keys[0].host, "*");
    assert_string_equal(zmq_z85_encode(text, signing->keys[0].bytes, 32), SIGN_B);
    assert_string_equal(signing->keys[1].host, "h2");
    assert_string_equal(zmq_z85_encode(text, signing->keys[1].bytes, 32), SIGN_A);
    assert_int_equal(curve_sign_key(KEY_A, sign_key), 0); // libsodium keeps it behind the seed
    assert_string_equal(zmq_z85_encode(text, signing->secret_key + 32, 32), sign_key);
    curve_signing_close(signing);
    bed->keys.keys[1].sign_key[0] = '\0';
    assert_int_equal(curve_signing_open(&bed->keys, KEY_A, &signing, &bed->error), -EINVAL);
    assert_non_null(strstr(bed->error.text, "* has no signing key"));
    curve_signing_close(NULL);
}

static void a_host_finds_its_own_keys_in_the_list_or_says_why_not(void **state) {
    struct bed *bed = *state;
    struct curve_key key = {.host = "h0"};
    struct curve_keys keys = {&key, 1};
    char secret_key[CURVE_KEY_TEXT_SIZE];
    assert_int_equal(curve_keypair(key.public_key, secret_key), 0);
    assert_int_equal(curve_sign_key(secret_key, key.sign_key), 0);
    assert_int_equal(curve_keys_check_own(&keys, "h0", secret_key, &bed->error), 0);
    assert_int_equal(curve_keys_check_own(&keys, "h1", secret_key, &bed->error), -EINVAL);
    assert_non_null(strstr(bed->error.text, "this host is h1, its key is that of h0"));
    assert_int_equal(curve_keys_check_own(&keys, "h0", KEY_A, &bed->error), -EINVAL);
    assert_non_null(strstr(bed->error.text, "is not in the fleet's list"));
    strcpy(key.host, "*");
    assert_int_equal(curve_keys_check_own(&keys, "h1", secret_key, &bed->error), 0);
    strcpy(key.sign_key, SIGN_A);
    assert_int_equal(curve_keys_check_own(&keys, "h1", secret_key, &bed->error), -EINVAL);
    assert_non_null(strstr(bed->error.text, "another signing key"));
}

static void a_list_that_others_may_write_is_refused(void **state) {
    struct bed *bed = *state;
    write_file(bed, "h0 " LINE_A "\n", 0664);
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), -EPERM);
    assert_non_null(strstr(bed->error.text, "mode 0664"));
}

static void a_list_that_is_not_there_says_so(void **state) {
    struct bed *bed = *state;
    assert_int_equal(curve_keys_load(bed->path, &bed->keys, &bed->error), -ENOENT);
    assert_non_null(strstr(bed->error.text, bed->path));
}

static void a_secret_is_written_for_its_owner_alone_and_read_back(void **state) {
    struct bed *bed = *state;
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    char read_public[CURVE_KEY_TEXT_SIZE], read_secret[CURVE_KEY_TEXT_SIZE];
    assert_int_equal(curve_keypair(public_key, secret_key), 0);
    mode_t mask = umask(0);
    assert_int_equal(curve_secret_write(bed->path, secret_key, &bed->error), 0);
    umask(mask);
    struct stat stat_of;
    assert_int_equal(stat(bed->path, &stat_of), 0);
    assert_int_equal(stat_of.st_mode & 07777, 0600);
    assert_int_equal(curve_secret_load(bed->path, read_secret, read_public, &bed->error), 0);
    assert_string_equal(read_secret, secret_key);
    assert_string_equal(read_public, public_key);
}

static void a_secret_is_never_overwritten(void **state) {
    struct bed *bed = *state;
    assert_int_equal(curve_secret_write(bed->path, KEY_A, &bed->error), 0);
    assert_int_equal(curve_secret_write(bed->path, KEY_B, &bed->error), -EEXIST);
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    assert_int_equal(curve_secret_load(bed->path, secret_key, public_key, &bed->error), 0);
    assert_string_equal(secret_key, KEY_A);
}

static void a_secret_that_others_may_read_is_refused(void **state) {
    struct bed *bed = *state;
    static const mode_t modes[] = {0644, 0604, 0601, 0620};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(bed, KEY_A "\n", modes[i]);
        char public_key[CURVE_KEY_TEXT_SIZE] = "", secret_key[CURVE_KEY_TEXT_SIZE] = "";
        int rc = curve_secret_load(bed->path, secret_key, public_key, &bed->error);
        assert_int_equal(rc, -EPERM);
        assert_non_null(strstr(bed->error.text, "chmod 600"));
        assert_string_equal(secret_key, "");
    }
}

static void a_secret_of_the_group_is_read_as_kubernetes_mounts_it(void **state) {
    struct bed *bed = *state;
    write_file(bed, KEY_A "\n", 0440);
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    assert_int_equal(curve_secret_load(bed->path, secret_key, public_key, &bed->error), 0);
}

static void what_is_not_a_secret_key_is_not_shown_in_the_error(void **state) {
    struct bed *bed = *state;
    write_file(bed, "not-a-key-but-perhaps-half-of-one\n", 0600);
    char public_key[CURVE_KEY_TEXT_SIZE], secret_key[CURVE_KEY_TEXT_SIZE];
    int rc = curve_secret_load(bed->path, secret_key, public_key, &bed->error);
    assert_int_equal(rc, -EINVAL);
    assert_null(strstr(bed->error.text, "not-a-key-but"));
    assert_non_null(strstr(bed->error.text, "not a CURVE secret key"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(a_list_names_hosts_keys_and_addresses),
        CASE(a_line_with_a_star_is_for_all_hosts),
        CASE(a_line_without_a_signing_key_says_how_to_make_it_anew),
        CASE(a_key_of_two_hosts_is_refused),
        CASE(the_signing_key_follows_from_the_secret_alone),
        CASE(the_core_gets_all_signing_keys_by_host_and_its_own_pair),
        CASE(a_host_finds_its_own_keys_in_the_list_or_says_why_not),
        CASE(a_hash_inside_a_key_is_no_comment),
        CASE(a_thousand_keys_are_all_kept),
        CASE(a_line_that_is_not_understood_is_named_with_its_number),
        CASE(a_list_that_others_may_write_is_refused),
        CASE(a_list_that_is_not_there_says_so),
        CASE(a_secret_is_written_for_its_owner_alone_and_read_back),
        CASE(a_secret_is_never_overwritten),
        CASE(a_secret_that_others_may_read_is_refused),
        CASE(a_secret_of_the_group_is_read_as_kubernetes_mounts_it),
        CASE(what_is_not_a_secret_key_is_not_shown_in_the_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
