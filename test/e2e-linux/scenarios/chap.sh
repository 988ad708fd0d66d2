# CHAP one way and mutual: right secrets let in, wrong ones of either side do not.
attempt() { # TARGET PASSWORD [TARGET'S PASSWORD]
  record "$1"
  setting "$1" node.session.auth.authmethod CHAP
  setting "$1" node.session.auth.username alice
  setting "$1" node.session.auth.password "$2"
  if [ -n "${3:-}" ]; then
    setting "$1" node.session.auth.username_in target
    setting "$1" node.session.auth.password_in "$3"
  fi
  setting "$1" node.session.initial_login_retry_max 1
  login "$1"
}
! attempt one-way a-wrong-secret-x || fail 'a wrong secret was let in'
forget one-way
attempt one-way one-way-secret || fail 'one way'
verified "$(disk one-way 0)" --size=1m || fail 'one way: data'
forget one-way
! attempt mutual one-way-secret a-wrong-secret-x || fail 'the target proved nothing and was believed'
forget mutual
attempt mutual one-way-secret the-other-secret || fail mutual
verified "$(disk mutual 0)" --size=1m || fail 'mutual: data'
